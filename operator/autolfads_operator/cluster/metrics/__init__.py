"""What Prometheus is told: `/metrics` of the operator.

`table.py` names every metric, once: the page, the documentation and the dashboards follow it.
Gauges of runs are made anew for each scrape from what the loops know (`of_runs.py`), so that the
series of a run that was deleted are gone; what adds up is kept per run (`tally.py`) or for the
operator as a whole (`of_operator.py`). `page.py` puts all on one page.
"""
