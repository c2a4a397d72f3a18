# Everything runs inside .venv, which the first target that needs it makes, the tests on
# Keras' other backends in .venv-backends, where there is no TensorFlow, and those that
# compare metrics with other libraries' in .venv-parity.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
BACKENDS := .venv-backends
BACKENDS_READY := $(BACKENDS)/.ready
BACKENDS_LOG := $(BACKENDS)/tests.log
PARITY := .venv-parity
PARITY_READY := $(PARITY)/.ready
# Most modules are never imported: Python compiles those that are.
QUICKLY := --no-compile
# Installs an extra, at the second try if the network fails for a moment.
PIP_INSTALL = $(1)/python -m pip install $(QUICKLY) --editable '.[$(2)]'
install = $(PIP_INSTALL) || $(PIP_INSTALL)
# They pin another TensorFlow or another OpenCV than is here.
PARITY_PINNED := 'quantus~=0.6.0' 'tf-keras~=2.21.0' 'xplique~=2.0.2'
PARITY_TESTS = $(wildcard tests/*/test_*parity.py)
JAX_TESTS = $(shell grep -l jax_too tests/*/test_*.py)
TORCH_TESTS = $(shell grep -lE '(jax|torch)_too|torch_suffices' tests/*/test_*.py)
# Where the demo leaves its figure and its network, and how many images are evaluated.
DEMO := results/quickstart
SAMPLES ?= 100
# Tests at once; each process holds a TensorFlow of its own, of up to 4 GB, or JAX or torch,
# of up to 2. More than cores: some wait for processes that they start.
HAS_MEMORY := $(shell awk '/MemAvailable/ && $$2 > 18e6' /proc/meminfo 2>/dev/null)
JOBS ?= $(if $(HAS_MEMORY),3,2)
BACKENDS_JOBS ?= $(if $(HAS_MEMORY),2,1)
PYTEST = -m pytest --dist loadfile --no-loadscope-reorder --numprocesses
# All but generated ones.
CXX_FILES = $(shell find kernels tests -name '*.cc' -o -name '*.h' -not -name '*_ptx.h')
# Fewer of TensorFlow's notes; errors reach Python anyway.
export TF_CPP_MIN_LOG_LEVEL ?= 3
# Modules are compiled once, and not by each of the processes.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo report study test test-thorough test-tensorflow test-backends test-jax \
    test-torch parity lint bench backbone notebooks library clean

demo: library
	$(BIN)/python examples/quickstart.py --data-dir data

# What the demo has trained next to other explainers, and to what it started from.
report: $(DEMO).keras | library
	$(BIN)/keras-lap evaluate $< tfds:cluttered_digits/decoy:test --data-dir data \
	    --original examples/backbone/decoy.keras --samples $(SAMPLES) \
	    --report $(DEMO).html --csv $(DEMO).csv --force

$(DEMO).keras:
	$(MAKE) demo

# Hours; it goes on where it stopped, and with STUDY=--adopt from what is committed.
study: library
	$(BIN)/python examples/study.py --data-dir data --docs docs $(STUDY)

# Both at once: pip and compilers that one waits for leave a core to the other. On a small
# machine, make them one after the other.
test:
	$(MAKE) --jobs 2 test-tensorflow test-backends

# All cases of all tests, and trainings long enough to learn: an hour or more. Those of
# the report's page need Chromium on the path.
test-thorough: export KERAS_LAP_THOROUGH := 1
test-thorough: test

test-tensorflow: library
	$(BIN)/python $(PYTEST) $(JOBS)

# Shown at the end: two that print as they go on would mix their lines.
test-backends: $(BACKENDS_READY)
	@echo "The tests on torch and JAX write to $(BACKENDS_LOG)"
	@($(MAKE) test-torch; torch=$$?; $(MAKE) test-jax && exit $$torch) \
	    >$(BACKENDS_LOG) 2>&1; status=$$?; cat $(BACKENDS_LOG); exit $$status

# Most of its time goes into compiling what runs once.
test-jax: $(BACKENDS_READY)
	KERAS_BACKEND=jax $(BACKENDS)/bin/python $(PYTEST) $(BACKENDS_JOBS) \
	    -m jax_too $(JAX_TESTS)

# Threads of their own would make the processes wait for each other.
test-torch: $(BACKENDS_READY)
	KERAS_BACKEND=torch OMP_NUM_THREADS=1 $(BACKENDS)/bin/python $(PYTEST) \
	    $(BACKENDS_JOBS) $(TORCH_TESTS)

# Metrics against those of xplique, Quantus and pytorch-grad-cam.
parity: $(PARITY_READY)
	$(PARITY)/bin/python -m pytest $(PARITY_TESTS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run --Werror $(CXX_FILES)

bench: library
	$(BIN)/python benchmarks/bench_la_pool.py

# Trains the demo's checkpoints anew; the demo itself only loads them.
backbone: library
	$(BIN)/python examples/make_backbone.py --data-dir data

# Executes them anew, to keep what they print and draw.
notebooks: library
	$(BIN)/python examples/notebooks/execute_notebook.py

# Compiles the fused op; nothing happens if it is up to date. Without it everything
# runs in keras.ops, so what depends on it goes on.
library: $(READY)
	-$(BIN)/python -m kernels.build

$(READY): pyproject.toml setup.py
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	    "Python 3.11 or newer is needed; pass it as make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(call install,$(BIN),dev)
	touch $@

$(BACKENDS_READY): pyproject.toml setup.py
	$(PYTHON) -m venv $(BACKENDS)
	$(call install,$(BACKENDS)/bin,backends)
	touch $@

$(PARITY_READY): pyproject.toml setup.py
	$(PYTHON) -m venv $(PARITY)
	$(call install,$(PARITY)/bin,parity)
	$(PARITY)/bin/python -m pip install $(QUICKLY) --no-deps $(PARITY_PINNED)
	touch $@

clean:
	rm -rf $(VENV) $(BACKENDS) $(PARITY) build dist kernels/lib *.egg-info data results .*_cache .hypothesis
