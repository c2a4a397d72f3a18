"""The shipped GPU kernels on torch's memory, for the scripts beside this one.

Needs torch, a GPU and its driver; neither Keras, TensorFlow nor Triton.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

from kernels.gpu.launch import plan_backward, plan_forward


def missing_gpu():
    """Why nothing can be measured here, in one line, or an empty string."""
    try:
        import torch
    except ImportError:
        return "no GPU measured: torch is not installed"
    if not torch.cuda.is_available():
        return "no GPU measured: torch finds none"
    return ""


class LaPool:
    """One pooling with its buffers; every call only enqueues kernels.

    Args:
        pooling: A `kernels.pooling.Pooling`.
        dtype: Dtype of the features.
        driver: A `Driver`, shared so that kernels are loaded once.
        inputs: CUDA tensors `x`, `scores`, `alpha`, `gate` and `dy` by name.
    """

    def __init__(self, pooling, dtype, driver, inputs):
        import torch

        self._driver = driver
        self._plans = plan_forward(pooling, dtype), plan_backward(pooling, dtype)
        self.results = {
            "y": torch.full_like(inputs["dy"], torch.nan),
            "dx": torch.full_like(inputs["x"], torch.nan),
            "dscores": torch.full_like(inputs["scores"], torch.nan),
            "dalpha": torch.full_like(inputs["alpha"], torch.nan),
            "dgate": torch.full_like(inputs["gate"], torch.nan),
        }
        _, size = self._plans[1].offsets
        # All ones are NaN.
        self._scratch = inputs["x"].new_full((size + 1,), 255, dtype=torch.uint8)
        self._tensors = {**inputs, **self.results}
        self._addresses = {
            name: tensor.data_ptr() for name, tensor in self._tensors.items()
        }

    def forward(self):
        """Fills `results["y"]`."""
        self._run(self._plans[0])

    def backward(self):
        """Fills the gradients in `results`."""
        self._run(self._plans[1])

    def _run(self, plan):
        import torch

        stream, device = torch.cuda.current_stream(), torch.cuda.current_device()
        scratch = self._scratch.data_ptr()
        self._driver.run(plan, self._addresses, scratch, stream.cuda_stream, device)
