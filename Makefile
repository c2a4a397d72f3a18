# Everything runs inside .venv, which the first target that needs it makes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Fewer of TensorFlow's notes; errors reach Python anyway.
export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: demo test lint bench backbone clean

demo: $(READY)
	$(BIN)/python examples/quickstart.py --data-dir data

test: $(READY)
	$(BIN)/python -m pytest

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

bench: $(READY)
	$(BIN)/python benchmarks/bench_la_pool.py

# Trains the demo's checkpoints anew; the demo itself only loads them.
backbone: $(READY)
	$(BIN)/python examples/make_backbone.py --data-dir data

$(READY): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	    "Python 3.11 or newer is needed; pass it as make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --editable '.[cpu,dev]'
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info data results .*_cache .hypothesis
