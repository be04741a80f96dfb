"""Synthetic data from known laws: rulers, not music, since the best possible prediction follows from the same law.

One file a network. Each draws the emotion, then what it causes, and computes the oracle: the prediction that no other
can beat. All laws are non-linear on purpose, so that a linear model stays behind.
"""
