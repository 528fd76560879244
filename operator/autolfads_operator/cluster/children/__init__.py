"""What the operator makes in the cluster for a run, by pure functions: objects as mappings."""
