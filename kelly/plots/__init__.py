"""Pictures, all in one style: of a training run, of what a network predicts, of searches, comparisons and music."""
