"""Synthetic data from known generative processes: benchmarks rather than music, since the best prediction is known.

One module per network. Each draws the emotion, then the targets that depend on it, and computes the oracle: the
prediction with the lowest expected loss. All processes are non-linear, so that a linear model cannot reach the oracle.
"""
