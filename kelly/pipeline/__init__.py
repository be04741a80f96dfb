"""DVC around the stages: several chains at once, its notes and its page of plots."""
