"""Converts every network of keras.applications and compares it with the original.

Each network is built with random weights, with and without its top, and converted with
`where="pooling"` and `where="all"`. A CSV file and a table in the docs get a row per
network: what was replaced, what it costs, and how far the outputs are apart. Where only
some networks are measured, or at another size, both go to `results/`.
"""

import argparse
import collections
import ctypes
import dataclasses
import datetime
import functools
import importlib.metadata
import multiprocessing
import pathlib
import platform
import re
import sys
import time

import keras
import numpy as np
from keras import layers
from random_weights import random_weights

import keras_lap
from keras_lap.layers import BaseLAPooling
from keras_lap.utils.write_csv import write_csv

ROOT = pathlib.Path(__file__).parent.parent
WHERE = ("pooling", "all")
# For networks that take images of any size.
SIZE = 224
KINDS = {
    layers.MaxPooling2D: "max_pooling",
    layers.AveragePooling2D: "average_pooling",
    layers.GlobalAveragePooling2D: "head",
    "1x1": "pointwise",
    layers.Conv2D: "convolution",
    layers.DepthwiseConv2D: "depthwise",
    layers.SeparableConv2D: "separable",
}


@dataclasses.dataclass(frozen=True)
class Row:
    """What was found out about one network; fields of pairs are by `where`.

    Attributes:
        network: Its name.
        size: Height and width of the images.
        replaced: Number of layers that `where="all"` replaces, by kind.
        parameters: Number of parameters.
        multiply_adds: Multiply-adds for one image.
        lap_layers: Number of LAP layers that it gets.
        extra_parameters: How many more parameters it has then.
        extra_multiply_adds: How many more multiply-adds it takes.
        softmax: Largest absolute difference of the probabilities.
        features: Largest difference of the last feature map without top, relative to
            its largest absolute value.
        seconds: CPU time of `convert` with `where="all"`.
        mebibytes: By how much that raised the peak of resident memory, in MiB.
    """

    network: str
    size: int
    replaced: collections.Counter
    parameters: int
    multiply_adds: int
    lap_layers: dict
    extra_parameters: dict
    extra_multiply_adds: dict
    softmax: dict
    features: dict
    seconds: float
    mebibytes: float

    def cells(self):
        """A flat dict for a line of a CSV file."""
        cells = {}
        for name, value in vars(self).items():
            if name == "replaced":
                cells |= {kind: value[kind] for kind in KINDS.values()}
            elif isinstance(value, dict):
                cells |= {f"{name}_{where}": value[where] for where in WHERE}
            else:
                cells[name] = value
        return cells


def applications():
    """The names of all networks of keras.applications."""
    return [name for name in dir(keras.applications) if name[0].isupper()]


def build(name, size=None, include_top=True):
    """A network without pretrained weights, for images of `size` or of its own size."""
    shape = size and (size, size, 3)
    make = getattr(keras.applications, name)
    model = make(weights=None, include_top=include_top, input_shape=shape)
    if model.input_shape[1] is None:
        return build(name, SIZE, include_top)
    return model


def random_images(count, size, rng):
    """Patches of colour under noise: float32 `(count, size, size, 3)` in [0, 255]."""
    patches = rng.uniform(0, 255, (count, 5, 5, 3))
    cells = np.arange(size) * 5 // size
    noise = rng.uniform(0, 255, (count, size, size, 3))
    return ((patches[:, cells][:, :, cells] + noise) / 2).astype("float32")


def replaced(model, converted):
    """Counts the layers whose place or whose stride LAP took, by kind.

    Args:
        model: The model that was converted.
        converted: The result.

    Returns:
        A `Counter` from kinds to numbers of layers of `model`.
    """
    twins = {layer.name: layer for layer in converted._flatten_layers()}
    return collections.Counter(
        _kind(layer)
        for layer in model._flatten_layers()
        if _is_replaced(layer, twins.get(layer.name, layer))
    )


def _is_replaced(layer, twin):
    strides = (getattr(part, "strides", None) for part in (layer, twin))
    return isinstance(twin, BaseLAPooling) or len(set(strides)) > 1


def _kind(layer):
    pointwise = type(layer) is layers.Conv2D and max(layer.kernel_size) == 1
    return KINDS["1x1" if pointwise else type(layer)]


def difference(results, expected):
    """Largest differences between the outputs of two models.

    Args:
        results: A tensor or several.
        expected: As many, of the same shapes.

    Returns:
        The largest absolute difference, and the largest relative to the largest
        absolute value of the same tensor.
    """
    absolute, relative = [], []
    pairs = zip(*map(keras.tree.flatten, (results, expected)), strict=True)
    for pair in pairs:
        new, old = map(keras.ops.convert_to_numpy, pair)
        absolute.append(float(np.max(np.abs(new - old))))
        relative.append(absolute[-1] / float(np.max(np.abs(old))))
    return max(absolute), max(relative)


def with_pooling(model):
    """A model without top; where nothing is left to pool, it returns that as well."""
    poolings = layers.MaxPooling2D, layers.AveragePooling2D
    if any(
        isinstance(layer, poolings) and max(layer.strides) > 1 for layer in model.layers
    ):
        return model
    pooled = layers.GlobalAveragePooling2D()(model.output)
    return keras.Model(model.input, [model.output, pooled])


class BlockCost:
    """CPU time of a block, and by how much it raises the peak of resident memory.

    Attributes:
        seconds: CPU time of all threads, which other work on the machine leaves alone.
        mebibytes: Growth of memory; not a number where the system is not Linux.
    """

    def __enter__(self):
        self._before = _resident("VmRSS", reset_peak=True)
        self._start = time.process_time()
        return self

    def __exit__(self, *_):
        self.seconds = time.process_time() - self._start
        self.mebibytes = _resident("VmHWM") - self._before


def _resident(field, reset_peak=False):
    if not sys.platform.startswith("linux"):
        return float("nan")
    if reset_peak:
        # Memory that is free but not given back would hide what is taken next.
        ctypes.CDLL(None).malloc_trim(0)
        pathlib.Path("/proc/self/clear_refs").write_text("5")
    status = pathlib.Path("/proc/self/status").read_text()
    return int(re.search(rf"{field}:\s+(\d+) kB", status)[1]) / 1024


def measure(name, size=None):
    """Converts a network and compares it with the original.

    Args:
        name: Name in keras.applications.
        size: Height and width of the images; by default the network's own.

    Returns:
        A `Row`.
    """
    rng = np.random.default_rng(0)
    model = build(name, size)
    size = model.input_shape[1]
    images = random_images(2, size, rng)
    # Before anything else, as memory once taken is not always given back.
    with BlockCost() as cost:
        converted = keras_lap.convert(model, where="all")
    counts = replaced(model, converted)
    found = collections.defaultdict(dict)
    random_weights(model, images, rng)
    expected = model(images)
    for where in WHERE:
        plan = keras_lap.plan(model, where=where)
        converted = keras_lap.convert(model, plan)
        estimate = plan.estimate()
        extra = estimate.after - estimate.before
        found["lap_layers"][where] = len(keras_lap.lap_layers(converted))
        found["extra_parameters"][where] = (
            converted.count_params() - model.count_params()
        )
        found["extra_multiply_adds"][where] = extra.multiply_adds
        found["softmax"][where], _ = difference(converted(images), expected)
    bare = build(name, size, include_top=False)
    random_weights(bare, images, rng)
    for where, given in zip(WHERE, (with_pooling(bare), bare), strict=True):
        converted = keras_lap.convert(given, where=where)
        _, found["features"][where] = difference(converted(images), given(images))
    return Row(
        network=name,
        size=size,
        replaced=counts,
        parameters=model.count_params(),
        multiply_adds=estimate.before.multiply_adds,
        seconds=cost.seconds,
        mebibytes=cost.mebibytes,
        **found,
    )


HEAD = (
    "network",
    "image",
    "replaced: max pooling",
    "average pooling",
    "head",
    "1x1 convolution",
    "other convolution",
    "depthwise",
    "separable",
    "LAP layers",
    "parameters, M",
    "added, M",
    "multiply-adds, G",
    "added, G",
    "difference: softmax",
    "features",
    "convert: s",
    "MiB",
)
PAGE = """# The networks of keras.applications

All {count} networks, with random weights, random statistics of batch normalisation
among them, with and without their top, converted with `where="pooling"` and with
`where="all"`; figures in pairs are in this order. Made by
`python benchmarks/convert_applications.py` on {date} on {machine}, TensorFlow
{tensorflow}, Keras {keras}; the same figures in full are in
[convert_applications.csv](../benchmarks/convert_applications.csv).

- *Replaced*: layers that LAP takes the place of, or whose stride it takes over, with
  `where="all"`. With `where="pooling"` it is the poolings and the head among them.
  1x1 convolutions that read the same map share a LAP layer.
- *Added*: parameters, and multiply-adds for one image of the size given. Nearly all of
  the parameters are those of the last stage's LAP layers, which have a concept for each
  of the 1,000 classes.
- *Difference*: the largest, at conversion, over two images: of the probabilities,
  absolute, and of the last feature map of the network without its top, relative to its
  largest value. A network that has no pooling but its head got a head for the latter,
  since without one there is nothing for `where="pooling"` to replace.
- *Convert*: CPU time of `convert` with `where="all"`, and by how much it raised the
  peak of resident memory. A copy of the weights is part of that.

{table}"""


def page(rows, date, machine):
    """The page of the docs.

    Args:
        rows: List of `Row`.
        date: When they were measured.
        machine: On what.
    """
    return PAGE.format(
        count=len(rows),
        date=date,
        machine=machine,
        tensorflow=importlib.metadata.version("tensorflow"),
        keras=keras.__version__,
        table=table(rows),
    )


def table(rows):
    """A Markdown table with a line for each row."""
    lines = [HEAD, ["---"] + ["---:"] * (len(HEAD) - 1), *map(_cells, rows)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _cells(row):
    def pair(values, form):
        return " / ".join(form(values[where]) for where in WHERE)

    return [
        row.network,
        str(row.size),
        *(str(row.replaced[kind]) for kind in KINDS.values()),
        pair(row.lap_layers, str),
        f"{row.parameters / 1e6:.1f}",
        pair(row.extra_parameters, lambda count: f"{count / 1e6:.3f}"),
        f"{row.multiply_adds / 1e9:.2f}",
        pair(row.extra_multiply_adds, lambda count: f"{count / 1e9:.2f}"),
        pair(row.softmax, "{:.1g}".format),
        pair(row.features, "{:.1g}".format),
        f"{row.seconds:.1f}",
        f"{row.mebibytes:.0f}",
    ]


def default_files(models, size):
    """Where the CSV file and the page go: the published ones are of a whole run.

    Args:
        models: Names of the networks that are measured.
        size: Height and width of the images, or `None` for the networks' own.

    Returns:
        Two paths.
    """
    if set(models) == set(applications()) and size is None:
        return (
            ROOT / "benchmarks/convert_applications.csv",
            ROOT / "docs/applications.md",
        )
    results = ROOT / "results"
    return results / "convert_applications.csv", results / "applications.md"


def main(arguments=None):
    """Measures the chosen networks, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=applications())
    parser.add_argument(
        "--size", type=int, help="of the images; else the network's own"
    )
    parser.add_argument("--machine", default=platform.processor() or platform.machine())
    parser.add_argument("--csv", type=pathlib.Path)
    parser.add_argument("--page", type=pathlib.Path)
    arguments = parser.parse_args(arguments)
    csv_path, page_path = default_files(arguments.models, arguments.size)
    csv_path, page_path = arguments.csv or csv_path, arguments.page or page_path
    measured = functools.partial(measure, size=arguments.size)
    rows, start = [], time.perf_counter()
    # In a fresh process the peak of memory is the network's own.
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for row in pool.imap(measured, arguments.models, chunksize=1):
            rows.append(row)
            seconds = time.perf_counter() - start
            print(
                f"{len(rows):2} {seconds:5.0f} s", *_cells(row), sep=" | ", flush=True
            )
    for path in (csv_path, page_path):
        path.parent.mkdir(parents=True, exist_ok=True)
    cells = [row.cells() for row in rows]
    write_csv(csv_path, cells[0], cells)
    today = datetime.date.today().isoformat()
    page_path.write_text(page(rows, today, arguments.machine))
    print(f"Written: {csv_path} and {page_path}")


if __name__ == "__main__":
    main()
