# Two commands on a fresh machine with Python >= 3.11, pip and make:
#   make gap    set up, run the main job, write gap.html
#   make test   set up, run every test
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: setup gap test lint bench mutants clean

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@echo "Compiling the kernels of the main job (cached, once)"
	$(BIN)/slth gap --eps-min 0.03 --draws 1 --workers 1 --no-page --json > /dev/null 2>&1
	touch $@

gap: setup
	$(BIN)/slth gap --out gap.html

test: setup
	$(BIN)/python -m pytest -n 2

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

bench: setup
	$(BIN)/python -m benchmarks

# Faults put into a copy of the sources on purpose: the tests must find each.
mutants: setup
	$(BIN)/python -m benchmarks.mutants

# Numba looks for changes in a kernel's own file only: after editing one that others call, clean.
clean:
	find src -name '*.nb[ic]' -delete
