"""The command lines, one file each: those of `kelly` have `add_arguments(parser)` and `run(args)`."""
