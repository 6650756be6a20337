# make help lists what there is.
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export DO_NOT_TRACK := true
export DVC_NO_ANALYTICS := 1
export PREFECT_SERVER_ANALYTICS_ENABLED := false

STAMP := .venv/.installed
PIP := .venv/bin/python -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help install venv lock demo test test-alone test-timed test-integration lint hooks format server server-team worker server-stop clean

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMP) ## Install everything, exactly as pinned, into .venv (about 5 minutes, 2.7 GB).
venv: install

# torch comes first and by its exact version: a range asked for by another package would pull a CUDA build.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null || { \
	    echo "$(PYTHON) is not Python 3.11, 3.12 or 3.13: install one and say make PYTHON=python3.11." >&2; exit 1; }
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv
	$(PIP) install --quiet "$$(grep '^torch==' constraints.txt)"
	$(PIP) install --quiet --constraint constraints.txt --editable '.[dev,team,dask]'
	@touch $@

lock: $(STAMP) ## Write constraints.txt with the versions in .venv.
	@{ sed -n '/^#/p' constraints.txt; $(PIP) freeze --exclude-editable | sed 's/+cpu$$//'; } > constraints.new
	@mv constraints.new constraints.txt

demo: $(STAMP) ## Make the embedded campus, check it, train on it, show the results.
	vad data synth campus --cameras 3 --seed 7
	vad data verify campus
	vad with-server dvc repro report@campus
	@vad results campus

# The tests of a team mostly wait for servers, so they run next to the others. A file's tests share what they trained.
test: lint ## Check style, types and architecture, then run all tests but test-timed.
	@$(MAKE) --no-print-directory --jobs=2 --keep-going test-alone test-integration

test-alone: $(STAMP) ## Run all tests but those of test-integration, in two processes.
	python -m pytest -m "not team and not timed" -n 2 --dist loadfile --cov --cov-report=term:skip-covered --durations=25

test-timed: $(STAMP) ## Run the test of what orchestration may cost, on a machine that does nothing else.
	python -m pytest -m timed

test-integration: $(STAMP) ## Test a team's servers and workers, also when some are killed (docs/team.md).
	python -m pytest -m team --durations=15

lint: $(STAMP) ## Run ruff, mypy and the import contracts.
	ruff check .
	ruff format --check .
	mypy
	lint-imports

hooks: $(STAMP) ## Install Git hooks that run lint before every commit.
	pre-commit install

format: $(STAMP) ## Format the code.
	ruff check --fix .
	ruff format .

server: $(STAMP) ## Start Prefect and MLflow on loopback, and print the addresses of their pages.
	@vad server start

server-team: $(STAMP) ## Start them with PostgreSQL and an S3 store, which store everything (docs/team.md).
	@vad server start --team

worker: $(STAMP) ## Run the flows that are triggered on the server, until Ctrl-C (docs/deployments.md).
	@vad worker

server-stop: ## Stop all servers, including a team's.
	@vad server stop

clean: ## Remove everything that can be made again; footage, results and MLflow's runs stay.
	rm -rf ingest validation frames features reports .prefect .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
