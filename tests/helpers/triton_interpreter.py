"""The fused pooling's GPU kernels on NumPy arrays, in Triton's interpreter."""

import dataclasses
import functools
import importlib.util
import pathlib
import pickle
import subprocess
import sys

WORKER = pathlib.Path(__file__).with_name("triton_worker.py")
MISSING = (
    ""
    if importlib.util.find_spec("triton")
    else "the GPU kernels are tested in Triton's "
    "interpreter, and Triton is not installed"
)


def forward(pooling, dtype, x, scores, alpha, gate):
    """The pooled features."""
    return _call("forward", pooling, dtype, x, scores, alpha, gate)


def backward(pooling, dtype, x, scores, alpha, gate, dy):
    """Gradients `dx`, `dscores`, `dalpha` and `dgate`, by these names."""
    return _call("backward", pooling, dtype, x, scores, alpha, gate, dy)


def _call(name, pooling, *arguments):
    __tracebackhide__ = True
    worker = _worker()
    # Plain numbers: enumerations would have the worker import the library.
    fields = [int(field) for field in dataclasses.astuple(pooling)]
    pickle.dump((name, fields, *arguments), worker.stdin)
    worker.stdin.flush()
    result = pickle.load(worker.stdout)
    if isinstance(result, str):
        raise RuntimeError(result)
    return result


@functools.cache
def _worker():
    """The process, which ends with this one, when its input does."""
    return subprocess.Popen(
        [sys.executable, WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
