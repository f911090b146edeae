# Two commands: `make pack` sets everything up and makes the pack of pages; `make test` passes the
# tests. Both work on a fresh machine with Python 3.11 or later and make.

PERIOD ?= 2004-05 Q3
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: help pack test lint notebooks benchmark lab lock clean
.DEFAULT_GOAL := help

help:  ## Show these commands
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

pack: .venv/base  ## Set up, then make the pack of PERIOD in outputs/
	$(BIN)/psa run "$(PERIOD)"

# Three at once, for tests wait for the processes and browsers that they start; so each has one
# thread for its matrices, which are small.
test: export OPENBLAS_NUM_THREADS = 1
# Modules of long tests first, so that no process is left alone with one at the end.
LONG := $(patsubst %,tests/test_%.py,unattended another_council browser disclosure run assessment)
test: FILES := $(LONG) $(filter-out $(LONG),$(sort $(wildcard tests/test_*.py)))
test: .venv/test lint  ## Set up, then pass all tests
	$(BIN)/python -m pytest -n 3 --dist loadscope --no-loadscope-reorder $(FILES)
	$(BIN)/python -m pytest -n 2 --dist loadscope --nbval -p no:cacheprovider notebooks

lint: .venv/test  ## Check style, types and which way imports run
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

notebooks: .venv/base  ## Execute the committed notebooks in place, after a change of data or code
	$(BIN)/jupyter nbconvert --to notebook --execute --inplace --log-level WARN \
		--ExecutePreprocessor.record_timing=False notebooks/*.ipynb

benchmark: .venv/benchmark  ## Set up, then measure the forecasts beside other forecasters
	$(BIN)/python benchmarks/forecast.py

# Files of Python in the folder of a notebook are not taken for libraries.
lab: export PYTHONSAFEPATH = 1
lab: .venv/lab  ## Set up, then open JupyterLab in the project folder
	$(BIN)/jupyter lab

# The test and lab locks keep to the versions of the base lock.
LOCK := uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --quiet --extra build

lock:  ## Lock the dependencies anew (needs uv)
	$(LOCK) --upgrade -o requirements/base.txt
	$(LOCK) --upgrade --extra test -c requirements/base.txt -o requirements/test.txt
	$(LOCK) --upgrade --extra lab -c requirements/base.txt -o requirements/lab.txt
	$(LOCK) --upgrade --extra benchmark -c requirements/base.txt -o requirements/benchmark.txt

clean:  ## Remove the environment and what can be made again
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or later is needed; say which with: make PYTHON=python3.12"; exit 1; }
	@echo "Setting up .venv (a few minutes the first time)"
	$(PYTHON) -m venv .venv

# Everything that is installed is locked by version and hash. Compiling here matters where
# PYTHONDONTWRITEBYTECODE is set: every process would compile everything again.
define install
	$(INSTALL) --require-hashes -r requirements/$(notdir $@).txt
	$(INSTALL) --no-deps --no-build-isolation --editable .
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m compileall -q .venv/lib psa_analysis >/dev/null || true
	@touch $@
endef

.venv/base: .venv/bin/python requirements/base.txt pyproject.toml
	$(install)

.venv/test: .venv/bin/python requirements/test.txt pyproject.toml
	$(install)

.venv/lab: .venv/bin/python requirements/lab.txt pyproject.toml
	$(install)

.venv/benchmark: .venv/bin/python requirements/benchmark.txt pyproject.toml
	$(install)
