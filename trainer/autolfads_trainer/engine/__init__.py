"""The training engine: what `model` and `training` define, computed in less time.

The readable model stays the truth. Given the same random numbers the engine gives its outputs, its
losses and its gradients, up to rounding. torch alone is needed.
"""
