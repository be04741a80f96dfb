"""DVC that ends with the `kelly repro` that started it: `python -m kelly.pipeline.run_dvc PID ARGUMENT…`."""

import sys
from functools import partial

from kelly.runtime.orphans import interrupt_again_and_again, when_ended

WAIT_S = 2.0


def main() -> None:
    """Run DVC's command line until process PID has ended. It is interrupted, not killed: its files stay whole."""
    _, pid, *arguments = sys.argv
    when_ended(int(pid), partial(interrupt_again_and_again, WAIT_S))
    from dvc.cli import main as dvc  # takes longer than the rest

    sys.exit(dvc(arguments))


if __name__ == "__main__":
    main()
