"""Bandwidth of the shipped GPU kernels, against a copy and torch's max pooling.

    python benchmarks/gpu_bandwidth.py --output results/

Needs only torch and a driver. What is timed is replayed from CUDA graphs, so that
launches from Python do not count, all providers in turn and round by round. Work goes
over more tensors than caches hold; both passes are all forward ones, then all backward
ones. Bandwidth counts the bytes that must move, each once.
"""

import argparse
import csv
import dataclasses
import datetime
import pathlib
import statistics
import sys

from gpu_device import LaPool, missing_gpu
from gpu_parity import random_inputs

from kernels.gpu.shipped import Driver
from kernels.pooling import Pooling

# Tensors that are worked on in turn take this many bytes together.
WORKING_SET = 2**30
COPY_BYTES = 2**29
BYTES = {"float32": 4, "bfloat16": 2}
LAUNCHES = 20


@dataclasses.dataclass(frozen=True)
class Shape:
    """A batch of feature maps and how it is pooled."""

    size: tuple
    window: int | None
    stride: int = 2
    padding: str = "valid"

    def pooling(self, base):
        """The pooling with one score per pixel."""
        if self.window is None:
            return Pooling.of(self.size, 1, None, base=base)
        window, stride = (self.window,) * 2, (self.stride,) * 2
        return Pooling.of(self.size, 1, window, stride, self.padding, base=base)

    def __str__(self):
        size = "x".join(map(str, self.size))
        if self.window is None:
            return f"{size}, global"
        return f"{size}, {self.window}x{self.window}/{self.stride}"


SHAPES = (
    Shape((64, 112, 112, 64), 2),
    Shape((64, 56, 56, 256), 2),
    Shape((64, 28, 28, 512), 2),
    Shape((64, 14, 14, 1024), 2),
    Shape((64, 112, 112, 64), 3, padding="same"),
    Shape((64, 56, 56, 256), 1),
    Shape((64, 7, 7, 2048), None),
)


def covered(size, window, stride, before, count):
    """How many places along one axis lie under a window."""
    starts = [place * stride - before for place in range(count)]
    return len(
        {
            place
            for start in starts
            for place in range(max(start, 0), min(start + window, size))
        }
    )


def bytes_moved(pooling, dtype):
    """Bytes that the forward and the backward pass must read and write."""
    p, size = pooling, BYTES[dtype]
    rows = covered(p.height, p.window_height, p.stride_height, p.pad_top, p.out_height)
    columns = covered(p.width, p.window_width, p.stride_width, p.pad_left, p.out_width)
    seen = p.batch * rows * columns
    read = seen * (size * p.channels + 4 * p.groups)
    pooled = p.windows * p.channels * size
    gradients = p.pixels * (size * p.channels + 4 * p.groups)
    return read + pooled, read + pooled + gradients


@dataclasses.dataclass(frozen=True)
class Row:
    """Times of one provider on one shape, in seconds, by round."""

    shape: str
    dtype: str
    provider: str
    direction: str
    moved: int
    times: tuple

    @property
    def median(self):
        """Median time in seconds."""
        return statistics.median(self.times)

    @property
    def bandwidth(self):
        """Bytes per second."""
        return self.moved / self.median


def providers(shape, dtype, driver):
    """What is measured, by provider and direction.

    Returns:
        A list of tuples `(provider, direction, bytes, passes)`. A pass is a list of
        functions that enqueue work, one for every set of tensors.
    """
    pooling = shape.pooling(None)
    forward_bytes, backward_bytes = bytes_moved(pooling, dtype)
    both_bytes = forward_bytes + backward_bytes
    sets = max(2, WORKING_SET // backward_bytes)
    inputs = random_inputs(pooling, dtype, "cuda")
    found = []
    for name, base in (("la_pool", None), ("la_pool over max", "max")):
        ours = [
            LaPool(
                shape.pooling(base),
                dtype,
                driver,
                {key: tensor.clone() for key, tensor in inputs.items()},
            )
            for _ in range(sets)
        ]
        forward = [each.forward for each in ours]
        backward = [each.backward for each in ours]
        found += [
            (name, "forward", forward_bytes, [forward]),
            (name, "backward", backward_bytes, [backward]),
            (name, "both", both_bytes, [forward, backward]),
        ]
    if shape.window is not None:
        theirs = [TorchMaxPool(shape, inputs) for _ in range(sets)]
        forward = [each.forward for each in theirs]
        backward = [each.backward for each in theirs]
        found += [
            ("torch max_pool2d", "forward", forward_bytes, [forward]),
            ("torch max_pool2d", "both", both_bytes, [forward, backward]),
        ]
    return found


class TorchMaxPool:
    """Torch's pooling of one set of tensors, which keeps its results.

    Were they freed, the next set's would take their place in memory, and in caches.
    """

    def __init__(self, shape, inputs):
        # torch pads both sides alike, or not at all; the number of windows is the same.
        padding = (shape.window - 1) // 2 if shape.padding == "same" else 0
        self._arguments = [[shape.window] * 2, [shape.stride] * 2, [padding] * 2]
        self._arguments += [[1, 1], False]
        self._x, self._dy = (
            inputs[name].clone().permute(0, 3, 1, 2) for name in ("x", "dy")
        )

    def forward(self):
        """Makes `y`, and which pixels it is of."""
        import torch

        function = torch.ops.aten.max_pool2d_with_indices
        self.y, self._indices = function(self._x, *self._arguments)

    def backward(self):
        """Makes `dx`; comes after `forward`."""
        import torch

        function = torch.ops.aten.max_pool2d_with_indices_backward
        self.dx = function(self._dy, self._x, *self._arguments, self._indices)


def copying():
    """The copy that bandwidths are compared with, in the form of `providers`."""
    import torch

    pairs = [
        [torch.randn(COPY_BYTES // 4, device="cuda") for _ in range(2)]
        for _ in range(2)
    ]
    functions = [lambda pair=pair: pair[0].copy_(pair[1]) for pair in pairs]
    return "copy", "forward", 2 * COPY_BYTES, [functions]


def run(passes, times):
    """Makes every pass so many times, over its functions in turn, before the next."""
    for functions in passes:
        for place in range(times):
            functions[place % len(functions)]()


class Graph:
    """Work captured once, to be replayed and timed."""

    def __init__(self, passes):
        import torch

        self._times = max(LAUNCHES, len(passes[0]))
        run(passes, len(passes[0]))
        torch.cuda.synchronize()
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            run(passes, self._times)

    def seconds(self):
        """Time of one call of every pass, in one replay."""
        import torch

        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        self._graph.replay()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / 1e3 / self._times


def measure(shape, dtype, driver, rounds):
    """Rows of all providers on one shape, the copy first."""
    graphs = [
        (provider, direction, moved, Graph(passes))
        for provider, direction, moved, passes in (
            copying(),
            *providers(shape, dtype, driver),
        )
    ]
    times = [[] for _ in graphs]
    for number in range(rounds + 1):
        for (*_, graph), found in zip(graphs, times, strict=True):
            seconds = graph.seconds()
            # The first round warms up.
            found.extend([seconds] if number else [])
    return [
        Row(str(shape), dtype, provider, direction, moved, tuple(found))
        for (provider, direction, moved, _), found in zip(graphs, times, strict=True)
    ]


def ratios(numerators, denominators):
    """Median and quartiles of ratios, round by round."""
    found = [a / b for a, b in zip(numerators, denominators, strict=True)]
    low, middle, high = statistics.quantiles(found, n=4)
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def table(rows, device, date):
    """A Markdown table of rows as `measure` returns them, shape by shape."""
    lines = [
        f"Measured on {date}, {device}. Bandwidth counts the bytes that must move; "
        "medians, with quartiles of ratios over rounds.",
        "",
        "| shape | dtype | provider | direction | us | GB/s | of copy | of torch's |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        same = [r for r in rows if (r.shape, r.dtype) == (row.shape, row.dtype)]
        copy = next(r for r in same if r.provider == "copy")
        torch_rows = [
            r
            for r in same
            if r.provider.startswith("torch") and r.direction == row.direction
        ]
        copy_share = ratios(
            [row.moved / seconds for seconds in row.times],
            [copy.moved / seconds for seconds in copy.times],
        )
        of_torch = ratios(row.times, torch_rows[0].times) if torch_rows else ""
        cells = (
            *(row.shape, row.dtype, row.provider, row.direction),
            *(f"{1e6 * row.median:.1f}", f"{row.bandwidth / 1e9:.0f}"),
            *(copy_share, of_torch if row.provider != "copy" else ""),
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def write_csv(rows, path, device):
    """One line per row and round."""
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            [
                "shape",
                "dtype",
                "provider",
                "direction",
                "device",
                "moved_bytes",
                "round",
                "seconds",
            ]
        )
        for row in rows:
            head = (
                row.shape,
                row.dtype,
                row.provider,
                row.direction,
                device,
                row.moved,
            )
            writer.writerows(
                (*head, number, seconds) for number, seconds in enumerate(row.times)
            )


def main(arguments=None):
    """Runs the command; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("results"))
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args(arguments)
    if options.rounds < 2:
        parser.error(
            "expected at least 2 rounds, for quartiles of their ratios; received: "
            f"{options.rounds}"
        )
    hindrance = missing_gpu()
    if hindrance:
        print(hindrance)
        return 0
    import torch

    driver, device = Driver(), torch.cuda.get_device_name()
    rows = []
    for shape in SHAPES:
        for dtype in BYTES:
            rows += measure(shape, dtype, driver, options.rounds)
            torch.cuda.empty_cache()
    options.output.mkdir(parents=True, exist_ok=True)
    write_csv(rows, options.output / "gpu_bandwidth.csv", device)
    text = table(rows, device, datetime.date.today().isoformat())
    (options.output / "gpu_bandwidth.md").write_text(text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
