"""Set-up shared by all tests: quiet logs, fixed seeds, the hypothesis profile."""

import collections
import gc
import importlib
import os
import re
import shutil
import subprocess
import tempfile

from effort import THOROUGH, examples, left_out
from fresh_process import fresh_python

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# JAX has no float64 without it; for the processes that tests start as well.
os.environ.setdefault("JAX_ENABLE_X64", "1")
# On tensors this small compiling takes longer than computing. A thorough run compiles
# as users do.
if not THOROUGH:
    os.environ.setdefault(
        "XLA_FLAGS",
        "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true "
        "--xla_cpu_use_fusion_emitters=false",
    )
# What one test has compiled serves the others of its process, and processes that it
# waits for; those beside it would read what is half written.
os.environ["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp(prefix="keras_lap_jax_")
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"
# Without it TensorFlow has no convolutions in `channels_first` on CPUs, nor a count of
# their memory; by itself it takes it on some CPUs alone.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# Several processes have tests to run: threads of each would wait by spinning.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings

pytest.register_assert_rewrite("injection_problem", "layer_contract")

settings.register_profile(
    "keras_lap",
    derandomize=True,
    deadline=None,
    max_examples=examples(60),
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    # A slow shared machine is no reason to fail.
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("keras_lap")


def is_asked_for(item, config):
    """Whether the command line names a test, or one with more cases, by its id."""
    for argument in config.args:
        file, _, name = argument.partition("::")
        here = config.invocation_params.dir / file
        own = item.nodeid.partition("::")[2]
        if name and here == item.path and re.match(rf"{re.escape(name)}($|\[|::)", own):
            return True
    return False


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """Of the cases of a test that are left, some run, unless they are asked for.

    Those of all modules or pages come first, then files of few tests, which take the
    longest: begun as the last, one of them would keep one process at work, and the
    others waiting.
    """
    if not THOROUGH:
        thinned = left_out(item for item in items if not is_asked_for(item, config))
        items[:] = [item for item in items if item not in thinned]
        config.hook.pytest_deselected(items=list(thinned))
    counts = collections.Counter(item.path for item in items)
    here = config.rootpath / "tests"
    items.sort(key=lambda item: (item.path.parent != here, counts[item.path]))


def pytest_collection_finish():
    """Modules and cases stay: collections of garbage need not look through them."""
    gc.collect()
    gc.freeze()
    # Graphs are many objects, and most of them stay until the end of a test.
    gc.set_threshold(50_000, 20, 20)


def pytest_unconfigure():
    shutil.rmtree(os.environ["JAX_COMPILATION_CACHE_DIR"], ignore_errors=True)


@pytest.fixture(autouse=True)
def seeds():
    """The same random numbers for every test, whichever tests ran before."""
    # Not above: the process that hands out the tests needs none of it.
    import keras

    keras.utils.set_random_seed(0)


@pytest.fixture
def rng():
    """NumPy's random numbers, from the same seed for every test."""
    return np.random.default_rng(0)


@pytest.fixture
def eager():
    """For little data, tracing graphs would take nearly all of the time."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def one_round(monkeypatch):
    """Times are of one round: what they are makes no difference."""
    module = importlib.import_module("keras_lap.evaluation.comparison.costs")
    time = module.time_in_rounds
    monkeypatch.setattr(module, "time_in_rounds", lambda calls, _: time(calls, 1))


@pytest.fixture
def restored_rules(monkeypatch):
    """Forgets the rules of conversion that a test registers."""
    # The function hides its module.
    module = importlib.import_module("keras_lap.surgery.rules.register_rule")
    monkeypatch.setattr(module, "_RULES", list(module._RULES))


CALL_SAVED_MODEL = """
import sys
import keras, numpy as np
import keras_lap

model_path, input_path, output_path = sys.argv[1:]
outputs = keras.saving.load_model(model_path)(np.load(input_path))
arrays = {name: keras.ops.convert_to_numpy(y) for name, y in outputs.items()}
np.savez(output_path, **arrays)
"""


@pytest.fixture
def call_in_fresh_process(tmp_path):
    """Saves a model, and calls the file's content in a process that knows only it.

    The function takes a model with named outputs and its input, and returns a dict of
    arrays.
    """

    def call(model, x):
        paths = [tmp_path / name for name in ("model.keras", "x.npy", "y.npz")]
        model.save(paths[0])
        np.save(paths[1], x)
        subprocess.run(fresh_python(CALL_SAVED_MODEL, *paths), check=True)
        return dict(np.load(paths[2]))

    return call
