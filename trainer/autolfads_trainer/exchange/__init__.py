"""Weights to and from the existing pipeline, whose files are PyTorch Lightning's.

Neither Lightning nor the existing pipeline is needed for it, and no code that a file holds is run:
its pickle is read as a description, from which tensors and plain values are taken.
"""
