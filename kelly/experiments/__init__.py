"""Beyond the pipeline: searching, cross-validating, averaging, comparing."""
