"""Runs the fused pooling's kernels on NumPy arrays, in Triton's interpreter.

This is a process of its own, without TensorFlow, after which Triton cannot be loaded;
`triton_interpreter` starts it. It reads calls and writes results, both pickled. Neither
torch nor a GPU takes part.
"""

import contextlib
import math
import os
import pathlib
import pickle
import sys
import traceback

os.environ["TRITON_INTERPRET"] = "1"
sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

import ml_dtypes
import numpy as np
import triton.language as tl
from triton.runtime.interpreter import InterpreterBuilder, TensorHandle

from kernels.gpu.functions import jit_function
from kernels.gpu.launch import plan_backward, plan_forward
from kernels.gpu.variants import INDICES, NUM_STAGES, SCRATCH
from kernels.pooling import Pooling

GUARD = 64


def main():
    """Answers calls until there are no more."""
    source, target = sys.stdin.buffer, sys.stdout.buffer
    functions = {"forward": forward, "backward": backward}
    with contextlib.suppress(EOFError):
        while True:
            name, fields, *arguments = pickle.load(source)
            try:
                result = functions[name](Pooling(*fields), *arguments)
            except Exception:
                result = traceback.format_exc()
            pickle.dump(result, target)
            target.flush()


def round_to_nearest():
    """Makes the interpreter round to bfloat16 as GPUs do; by itself it cuts off."""
    cast = InterpreterBuilder.cast_impl

    def rounding_cast(self, source, dtype):
        if (source.dtype.scalar, dtype.scalar) != (tl.float32, tl.bfloat16):
            return cast(self, source, dtype)
        rounded = source.data.astype(ml_dtypes.bfloat16)
        return TensorHandle(rounded.view(np.uint16), tl.bfloat16)

    InterpreterBuilder.cast_impl = rounding_cast


class Pointer:
    """An array in the form of a tensor, as far as the interpreter looks at it."""

    def __init__(self, array):
        assert array.flags.c_contiguous
        self.array = array
        self.dtype = str(array.dtype)

    def data_ptr(self):
        return self.array.ctypes.data

    # A tensor's storage, on which the interpreter copies tensors to the host and back:
    # here both are the array itself.
    def untyped_storage(self):
        return self

    def cpu(self):
        return self

    def copy_(self, other):
        assert other.data_ptr() == self.data_ptr()

    def new_empty(self, size, device=None):
        return Pointer(np.empty(0, self.array.dtype))

    def set_(self, storage, offset, size, stride):
        self.array = storage.array
        return self

    def storage_offset(self):
        return 0

    def size(self):
        return self.array.shape

    def stride(self):
        return tuple(step // self.array.itemsize for step in self.array.strides)


def numpy_dtype(name):
    """NumPy's dtype of this name, bfloat16 included."""
    return np.dtype(ml_dtypes.bfloat16 if name == "bfloat16" else name)


class Guarded:
    """Arrays that nothing has been written to, with as little around them."""

    def __init__(self):
        self._memories = []

    def array(self, shape, dtype="float32"):
        """A new one: NaN, or integers that are no tap."""
        dtype = numpy_dtype(dtype)
        poison = np.array(2**30 + 1 if dtype.kind == "i" else np.nan, dtype)
        memory = np.full(math.prod(shape) + 2 * GUARD, poison)
        self._memories.append((memory, memory.copy()))
        return memory[GUARD:-GUARD].reshape(shape)

    def assert_nothing_around_was_written(self):
        """Compares the bytes before and after every array with what they were."""
        for memory, before in self._memories:
            for side in (slice(GUARD), slice(-GUARD, None)):
                assert memory[side].tobytes() == before[side].tobytes()


def forward(pooling, dtype, x, scores, alpha, gate):
    """The pooled features."""
    shape = pooling.batch, pooling.out_height, pooling.out_width, pooling.channels
    inputs = _inputs(dtype, x=x, scores=scores, alpha=alpha, gate=gate)
    outputs = {"y": (shape, dtype)}
    return _run(plan_forward(pooling, dtype), inputs, outputs)["y"]


def backward(pooling, dtype, x, scores, alpha, gate, dy):
    """Gradients `dx`, `dscores`, `dalpha` and `dgate`, by these names."""
    inputs = _inputs(dtype, x=x, scores=scores, alpha=alpha, gate=gate, dy=dy)
    outputs = {
        "dx": (np.shape(x), dtype),
        "dscores": (np.shape(scores), "float32"),
        "dalpha": (np.shape(alpha), "float32"),
        "dgate": ((), "float32"),
    }
    return _run(plan_backward(pooling, dtype), inputs, outputs)


def _inputs(dtype, **values):
    dtypes = dict.fromkeys(("x", "dy"), dtype)
    return {
        name: np.array(value, numpy_dtype(dtypes.get(name, "float32")))
        for name, value in values.items()
    }


def _run(plan, inputs, outputs):
    memory = Guarded()
    arrays = {name: memory.array(*shape) for name, shape in outputs.items()}
    scratch = {
        name: memory.array(
            (plan.scratch.get(name, 0),), "int32" if name in INDICES else "float32"
        )
        for name in SCRATCH
    }
    buffers = {
        name: Pointer(array) for name, array in {**inputs, **arrays, **scratch}.items()
    }
    # Rows of a block beyond the last window hold no numbers; nothing is stored of them.
    with np.errstate(all="ignore"):
        for launch in plan.launches:
            variant = launch.variant
            jit_function(variant.kernel)[(launch.programs,)](
                *launch.arguments(buffers),
                **variant.constants,
                num_warps=variant.warps,
                num_stages=NUM_STAGES,
            )
    memory.assert_nothing_around_was_written()
    return arrays


if __name__ == "__main__":
    round_to_nearest()
    main()
