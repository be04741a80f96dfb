"""From a best checkpoint to a proven file for the plugin that says what it is."""
