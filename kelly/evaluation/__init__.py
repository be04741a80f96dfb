"""Losses, metrics, baselines and confidence intervals of a network."""
