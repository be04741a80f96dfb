"""Inputs and targets from pieces of music, one module per network."""
