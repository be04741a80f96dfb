"""Prepared data: the one form of it, how it is divided, and how it comes from disk."""
