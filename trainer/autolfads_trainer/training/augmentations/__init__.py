"""Augmentations: what is done to each batch, and to what its elements' loss counts.

One implementation for reference and engine, on tensors `([M,] time, trials, channels)`, of members
with a leading axis. Names and parameters are the existing pipeline's.
"""
