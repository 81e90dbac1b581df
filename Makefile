# Everything a developer or CI calls. Each target installs what it needs, without questions.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready

.PHONY: help setup run check quick test bench bench-grown bench-memory soak clean

help:
	@echo "make run     set everything up and start a panel with demo data"
	@echo "make quick   run the tests for work at hand: rules, protocol, a story for each feature"
	@echo "make test    set everything up and run the tests"
	@echo "make check   linters, types, import contract, sizes, documents"
	@echo "make bench   measure, with ratios against comparators of the same run"
	@echo "make bench-grown   the same with 5,000,000 orders present"
	@echo "make bench-memory  memory under ten minutes of load"
	@echo "make soak    the long forms of the tests for SOAK_MINUTES (30), their figures into docs/reliability.md"
	@echo "make setup   make .venv with the hawker command"
	@echo "make clean   remove what the others have made; a panel's data stays"

setup: $(STAMP)

$(STAMP): requirements/run.txt requirements/dev.txt pyproject.toml tools/make_venv
	tools/make_venv "$(PYTHON)" "$(VENV)"
	@touch $(STAMP)

run: setup
	$(BIN)/hawker up --demo

check: setup
	$(BIN)/ruff check --no-cache .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python tools/size_lint.py src tests bench tools
	$(BIN)/python -m pytest -q -r fE tests/docs

# Tests start hundreds of processes, each of which would compile our modules anew.
quick test: export PYTHONDONTWRITEBYTECODE =

quick: setup
	$(BIN)/python -m pytest -q -n 2 --dist worksteal -m quick

test: setup
	tools/get_programs
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

bench: setup
	$(BIN)/python -m bench

bench-grown: setup
	$(BIN)/python -m bench --only grown --out bench/results-grown.json

bench-memory: setup
	$(BIN)/python -m bench --only memory-slope --slope-seconds 600 --out bench/results-memory.json

soak: setup
	$(BIN)/python tools/soak.py

clean:
	rm -rf $(VENV) .cache build
