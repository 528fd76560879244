#!/bin/sh
# Compare what is generated with what would be generated now: verify.sh BIN
set -eu
bin=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$bin/python" -m autolfads_operator.crd > "$scratch/crd"
"$bin/python" -m autolfads_operator.crd --docs > "$scratch/docs"
"$bin/python" -m autolfads_operator.cluster.metrics.table > "$scratch/metrics"
status=0
(cd monitoring && "$(cd ..; cd "$bin"; pwd)/python" -m dashboards "$scratch")
for name in fleet one-run operator; do mv "$scratch/$name.json" "$scratch/$name"; done
cp crds/autolfadsruns.yaml "$scratch/chart"
boards=helm/autolfads-operator/dashboards
for pair in crd:crds/autolfadsruns.yaml docs:docs/manifest.md metrics:docs/metrics.md \
    chart:helm/autolfads-operator/files/autolfadsruns.yaml fleet:$boards/fleet.json \
    one-run:$boards/one-run.json operator:$boards/operator.json; do
    file=${pair#*:}
    diff -u "$file" "$scratch/${pair%%:*}" || { echo "$file is out of date: run 'make generate'"; status=1; }
done
exit $status
