"""Applying a trained model to trials that it was not trained on."""
