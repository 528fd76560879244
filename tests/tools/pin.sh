#!/bin/sh
# Write constraints.txt: every package that .[all] and the tools need, at its newest version, for
# every Python that is supported, and no index address: pin.sh BIN
set -eu
bin=$1
echo "# Made by 'make constraints'. Versions that the tests pass with; no index is named here." > constraints.txt
"$bin/uv" pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate \
    --no-emit-index-url --no-emit-find-links --all-extras --group test --group lint --group cluster --group dashboards pyproject.toml >> constraints.txt
"$bin/uv" pip freeze --python "$bin/python" | grep '^uv==' >> constraints.txt
