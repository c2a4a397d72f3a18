"""Which implementation `la_pool` takes, what it says of it, and when it refuses."""

import importlib
import re
import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest
from fresh_process import fresh_python

from keras_lap import LAPooling2D, LAPooling3D, la_pool
from keras_lap.kernels import build, library
from keras_lap.ops import dispatch, which
from keras_lap.ops.gpu_obstacle import OLDEST, gpu_obstacle

pytestmark = pytest.mark.jax_too

X, SCORES = np.ones((1, 4, 4, 2), "float32"), np.ones((1, 4, 4, 1), "float32")


@pytest.fixture(autouse=True)
def nothing_said_yet():
    dispatch._say_once.cache_clear()


@pytest.fixture
def obstacle(monkeypatch):
    """Puts a sentence in the way of the fused kernels."""

    class Fused:
        DESCRIPTION = "kernels of a test."

        @staticmethod
        def obstacle(dtype, x):
            return "Something is missing."

    monkeypatch.setattr(dispatch, "_fused_module", lambda: Fused)
    return "Something is missing."


@pytest.mark.skipif(
    keras.config.backend() != "tensorflow", reason="the op is one of TensorFlow"
)
def test_the_op_is_there_and_taken():
    found = library.find()
    assert found.path is not None, found.reason
    assert which().implementation == "fused"


def test_reference_when_asked_for():
    assert which(implementation="reference").implementation == "reference"


def test_three_axes_are_pooled_by_the_reference_without_a_word():
    choice = which(rank=3)
    assert choice.implementation == "reference"
    assert str(choice).startswith("reference: ")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        la_pool(np.ones((1, 2, 2, 2, 1)), np.ones((1, 2, 2, 2, 1)), 1.0, 2)


def test_falls_back_and_says_so_once(obstacle):
    with pytest.warns(UserWarning, match=obstacle) as caught:
        la_pool(X, SCORES, 1.0, 2)
        la_pool(X, SCORES, 1.0, 2)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert which() == dispatch.Choice("reference", obstacle)


def test_fused_refuses_with_the_reason(obstacle):
    with pytest.raises(RuntimeError, match=f"Expected .* Received: {obstacle}"):
        la_pool(X, SCORES, 1.0, 2, implementation="fused")
    with pytest.raises(RuntimeError, match=obstacle):
        which(implementation="fused")


def test_a_backend_without_kernels(monkeypatch):
    monkeypatch.setattr(dispatch, "_fused_module", lambda: None)
    choice = which()
    assert choice.implementation == "reference"
    assert keras.config.backend() in choice.reason


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ({"rank": 4}, "`rank` to be one of"),
        ({"implementation": "fast"}, "`implementation` to be one of"),
        ({"dtype": "float31"}, "float31"),
    ],
)
def test_refuses_unknown_arguments(arguments, expected):
    with pytest.raises(ValueError, match=expected):
        which(**arguments)


def test_no_fused_kernels_for_other_dtypes():
    assert which(dtype="float8_e4m3fn").implementation == "reference"


@pytest.mark.parametrize(
    "capability, expected",
    [
        ((9, 0), None),
        ((8, 0), None),
        ((7, 5), r"need compute capability 8\.0 .* has 7\.5"),
        (None, "another's"),
    ],
)
def test_kernels_run_on_recent_gpus_of_nvidia(capability, expected):
    obstacle = gpu_obstacle(capability)
    if expected is None:
        assert obstacle is None
    else:
        assert re.search(expected, obstacle)


@pytest.mark.skipif(
    keras.config.backend() != "tensorflow", reason="TensorFlow's devices are tested"
)
@pytest.mark.parametrize(
    "details, dtype, expected",
    [
        ({"compute_capability": (7, 5)}, "float32", "has 7.5"),
        ({}, "float32", "another's"),
        ({"compute_capability": (9, 0)}, "float64", "no float64 kernel"),
        ({"compute_capability": (9, 0)}, "float32", None),
    ],
)
def test_what_gpus_keep_the_op_from(monkeypatch, details, dtype, expected):
    import tensorflow as tf

    config = tf.config
    gpu = config.PhysicalDevice(str((details, dtype)), "GPU")
    monkeypatch.setattr(config, "get_visible_devices", lambda kind: [gpu])
    monkeypatch.setattr(config.experimental, "get_device_details", lambda gpu: details)
    choice = which(dtype=dtype)
    if expected is None:
        assert choice.implementation == "fused"
    else:
        assert choice.implementation == "reference"
        assert expected in choice.reason


@pytest.mark.skipif(
    keras.config.backend() != "tensorflow", reason="the strategy is one of TensorFlow"
)
def test_tpus_take_the_reference(monkeypatch):
    import tensorflow as tf

    strategy = object.__new__(tf.distribute.TPUStrategy)
    monkeypatch.setattr(tf.distribute, "get_strategy", lambda: strategy)
    assert "TPU" in which().reason


@pytest.fixture
def torch_gpu(monkeypatch):
    """Lets torch have a GPU of some version of CUDA and some compute capability."""
    if keras.config.backend() != "torch":
        pytest.skip("the devices are those of torch")
    import torch

    def pretend(cuda, capability):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(
            torch.cuda, "get_device_capability", lambda device: capability
        )
        monkeypatch.setattr(torch.version, "cuda", cuda)

    return pretend


@pytest.mark.parametrize(
    "cuda, capability, expected",
    [
        ("13.0", (9, 0), None),
        ("13.0", (7, 5), "has 7.5"),
        # As on AMD's GPUs.
        (None, (9, 4), "another's"),
    ],
)
def test_gpus_that_torch_may_have(torch_gpu, cuda, capability, expected):
    torch_gpu(cuda, capability)
    choice = which()
    assert choice.implementation == ("reference" if expected else "fused")
    assert expected is None or expected in choice.reason


def test_transforms_of_torch_take_the_reference(torch_gpu, monkeypatch):
    import torch

    torch_gpu("13.0", (9, 0))
    choices = []

    def pool(x):
        choices.append(which())
        with monkeypatch.context() as pretended:
            pretended.setattr(torch.Tensor, "is_cuda", True)
            return la_pool(x, SCORES, 1.0, 2)

    y = keras.ops.vectorized_map(pool, keras.ops.convert_to_tensor(X[None]))
    assert y.shape == (1, 1, 2, 2, 2)
    assert choices[0].implementation == "reference"
    assert "torch.func" in choices[0].reason


FIRST_USE = """
import concurrent.futures
import sys
import keras_lap
native = lambda: [line for line in open("/proc/self/maps") if "keras_lap_ops" in line]
print(len(native()) > 0, "tensorflow_datasets" in sys.modules)
with concurrent.futures.ThreadPoolExecutor(4) as threads:
    list(threads.map(lambda _: keras_lap.load_ops(), range(4)))
print(len(native()) > 0)

import tensorflow as tf
x = tf.ones((1, 2, 2, 1))
tf.function(keras_lap.la_pool)(x, x, 1.0, 2)
"""


@pytest.mark.skipif(
    keras.config.backend() != "tensorflow" or sys.platform != "linux",
    reason="the library is one of TensorFlow ops, and /proc is Linux's",
)
def test_the_library_is_loaded_when_first_needed_and_no_data_sets_with_it():
    run = subprocess.run(
        fresh_python(FIRST_USE), check=True, capture_output=True, text=True
    )
    assert run.stdout.split() == ["False", "False", "True"]
    assert "AutoGraph" not in run.stderr


@pytest.mark.skipif(
    keras.config.backend() != "tensorflow", reason="TensorFlow loads the library"
)
def test_a_library_that_does_not_load_is_to_be_compiled_by_force(tmp_path, monkeypatch):
    # The function hides its module.
    module = importlib.import_module("keras_lap.ops.load_ops")
    path = tmp_path / "library.so"
    path.write_text("none")
    monkeypatch.setattr(module, "find_library", lambda: library.Library(path))
    with pytest.raises(RuntimeError, match=r"short\. Run `keras-lap build --force`"):
        module._load_ops.__wrapped__()


@pytest.mark.parametrize("xla", [True, False])
def test_layers_keep_out_of_xla_where_the_kernels_cannot_go(monkeypatch, xla):
    class Fused:
        DESCRIPTION = "kernels of a test."
        obstacle = staticmethod(lambda dtype, x: None)
        supports_jit = staticmethod(lambda: xla)

    monkeypatch.setattr(dispatch, "_fused_module", lambda: Fused)
    assert LAPooling2D(2).supports_jit is xla
    # These are pooled by the reference, which XLA compiles.
    assert LAPooling3D(2).supports_jit is True


def test_the_oldest_gpu_is_the_one_that_the_kernels_were_compiled_for():
    compiled = build.KERNELS.joinpath("gpu", "la_pool_ptx.h").read_text()
    targets = set(re.findall(r"\.target sm_(\d+)", compiled))
    assert targets == {"".join(map(str, OLDEST))}
