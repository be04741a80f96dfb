"""Experiments beside the pipeline: search, cross-validation, ensembles, comparisons."""
