"""The stages that DVC runs: each script reads its configuration, calls one function of `kelly` and writes outputs."""

import gc

from kelly.config.stage_inputs import Code
from kelly.runtime.console import handle_interrupts
from kelly.runtime.orphans import end_with_launcher

STARTED_WITH = Code()  # before the modules that a stage depends on are imported
handle_interrupts()
end_with_launcher()
# Garbage collection during imports takes a sixth of PyTorch's import time; kelly.runtime.console.run turns it on again.
gc.disable()
