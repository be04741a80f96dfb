"""What DVC runs, one script a stage; each takes the network's name and calls one function of `kelly`."""

from kelly.safety.console import answer_interrupts

answer_interrupts()
