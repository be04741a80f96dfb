"""From the best checkpoint to a JSON file for RTNeural, proven to compute the same, with metadata that describes it."""
