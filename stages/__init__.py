"""What DVC runs, one script a stage; each takes the network's name and calls one function of `kelly`."""

import gc

from kelly.runtime.console import answer_interrupts

answer_interrupts()
# Looking for garbage among what is imported takes a sixth of PyTorch's import; `run` of kelly.runtime.console begins it.
gc.disable()
