# Each target does all the set-up it needs: a virtual environment in .venv, filled once per pyproject.toml.
PYTHON ?= python3.11
PYTHON := $(shell command -v $(PYTHON) || command -v python3)
VENV := .venv
BIN := $(VENV)/bin

.PHONY: quickstart test test-all check

quickstart: $(VENV)/.installed-run
	$(BIN)/ganbench quickstart

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2 --dist worksteal

test-all: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2 --dist worksteal --all-variants

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/ganbench board check

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("ganbench needs Python 3.11 or newer, found " + sys.version.split()[0] + "; name one: make PYTHON=/path/to/python3.11") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed-run: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[cpu]'
	touch $@

$(VENV)/.installed-dev: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[cpu,plots,reference,dev]'
	touch $@ $(VENV)/.installed-run
