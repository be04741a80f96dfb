"""Plots in one style: training curves, predictions, searches, comparisons and music."""
