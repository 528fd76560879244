"""Data: neural spikes as `(trials, time, channels)`, read, generated, and split for training."""
