"""Extracts examples from the files of a folder: in parallel, in constant memory, resumable."""
