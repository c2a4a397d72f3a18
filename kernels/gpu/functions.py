"""Kernels by name."""

import importlib

from .variants import KERNELS


def jit_function(kernel):
    """The Triton function of a kernel; the first call imports Triton.

    Where TensorFlow was imported before, that ends the process: each brings an LLVM.
    """
    module = importlib.import_module(f".{KERNELS[kernel].module}", __package__)
    return getattr(module, kernel)
