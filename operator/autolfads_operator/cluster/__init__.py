"""A run on Kubernetes: what the operator sees there, what it decides, and what it does.

One loop per run (`run_loop.py`), level-based: observe (`mirror.py`, and the run directory by the
controller's turn) → plan (`plan.py`, pure) → act (`acting.py`), then one status (`conditions/`,
`report.py`). Events only wake a loop up; `runs.py` keeps the loops, and puts right what events
missed. Children are built by pure functions in `children/`; each way of sharing a GPU is one file
in `packing/`. Nothing is kept in memory that the cluster or the volume does not say again.
"""
