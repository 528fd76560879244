"""The three kinds of task that a worker does: prepare, train, export."""
