# Everything runs from a fresh clone with nothing but Python 3.11; each target sets up .venv first.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   ?= .venv
BIN     = $(VENV)/bin
READY   = $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help demo test test-all check bench bench-engine clean

help:  ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	@touch $@

demo: $(READY)  ## train on the embedded images, print the accuracy and the report's path (1 to 6 minutes)
	$(BIN)/striate train

test: $(READY)  ## the whole suite (under 10 minutes on 2 cores)
	PYTHONHASHSEED=0 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist worksteal -m "not long and not apt and not gpu"

test-all: test  ## the suite and the long tier (hours); writes the result, dated, into bench/results/long_tier.md
	$(BIN)/python bench/long_tier.py

check: $(READY)  ## style, types, the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)  ## time to accuracy on Fashion-MNIST beside its rivals (alone on the machine; needs apt's data set)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt keras
	$(BIN)/python bench/time_to_accuracy.py

bench-engine: $(READY)  ## the engine beside its rivals, into bench/results/engine.md (alone on the machine; resumable)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt onnx onnxruntime openvino
	$(BIN)/python bench/engine_networks.py

clean:  ## remove the virtual environment and what tools left behind
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist build
