"""Grafana dashboards as code: `python -m dashboards FOLDER` writes them as JSON.

`parts.py` is what all have in common; each other file is one dashboard. Metrics are those of
`docs/metrics.md`; `NEEDS_GPU_EXPORTER` names the ones that NVIDIA's dcgm-exporter has.
"""
