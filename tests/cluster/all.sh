#!/bin/sh
# Pass the cluster tests, those that need no node beside those that do: all.sh BIN
set -u
bin=$1
log=$(mktemp)
trap 'rm -f "$log"' EXIT
"$bin/python" -m pytest tests/cluster -m "not node" --timeout=900 > "$log" 2>&1 &
beside=$!
"$bin/python" -m pytest tests/cluster -m node --timeout=900 --durations=15
status=$?
echo "What needs no node:"
wait "$beside" || status=1
cat "$log"
exit $status
