"""The libraries that metrics are compared with; `make parity` installs them all."""

import pytest


def import_or_skip(name):
    """A module of another library; the test is skipped where it is not installed."""
    library = name.split(".")[0]
    return pytest.importorskip(name, reason=f"{library} is not installed: make parity")


def import_grad_cam(module):
    """A module of pytorch-grad-cam, such as `"metrics.road"`.

    It imports torchvision, which is compiled for a torch with CUDA: beside one without,
    none of its operations are there, and it stops at two whose signatures it needs. No
    metric runs them, so the signatures are enough.
    """
    torch = import_or_skip("torch")
    try:
        import_or_skip("torchvision")
    except RuntimeError:
        for name in ("nms", "qnms"):
            torch.library.define(
                f"torchvision::{name}",
                "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
            )
    return import_or_skip(f"pytorch_grad_cam.{module}")
