"""Training one member for one generation: randomness, loss, optimizer, metrics, checkpoints."""
