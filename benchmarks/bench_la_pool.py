"""Times `keras_lap.la_pool` against TensorFlow's max pooling on the CPU.

The two are alternated in one process and compared call by call, since machines are
noisy: what is reported is the median of the ratios, with their quartiles.
"""

import argparse
import csv
import dataclasses
import pathlib
import platform
import statistics
import time

import numpy as np
import tensorflow as tf
from tqdm import tqdm

import keras_lap


@dataclasses.dataclass(frozen=True)
class Shape:
    """A pooling of a known network: input `(H, W, C)`, window and stride."""

    name: str
    size: tuple[int, int, int]
    window: int
    stride: int


SHAPES = (
    Shape("VGG16 block2_pool", (112, 112, 128), 2, 2),
    Shape("ResNet50 pool1_pool", (112, 112, 64), 3, 2),
    Shape("DenseNet121 pool3_pool", (28, 28, 256), 2, 2),
    Shape("ResNet50 head", (7, 7, 2048), 7, 7),
)


def measure(shape, batch, rounds, jit_compile, gradient):
    """Ratios of the time of LAP to that of max pooling.

    Args:
        shape: A `Shape`.
        batch: Number of images.
        rounds: Number of pairs of calls.
        jit_compile: Whether XLA compiles both.
        gradient: Whether the gradient is computed too.

    Returns:
        List of ratios, one per round.
    """
    height, width, channels = shape.size
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(size=(batch, height, width, channels)), tf.float32)
    scores = tf.constant(rng.random((batch, height, width, 1)), tf.float32)

    def lap(x, scores):
        return keras_lap.la_pool(x, scores, 2.0, shape.window, shape.stride)

    def max_pool(x, scores):
        return tf.nn.max_pool2d(x, shape.window, shape.stride, "VALID")

    runs = [_compiled(f, gradient, jit_compile) for f in (lap, max_pool)]
    for run in runs * 2:
        run(x, scores)
    ratios = []
    for _ in range(rounds):
        ours, theirs = (_seconds(run, x, scores) for run in runs)
        ratios.append(ours / theirs)
    return ratios


def _compiled(function, gradient, jit_compile):
    def run(x, scores):
        if not gradient:
            return function(x, scores)
        with tf.GradientTape() as tape:
            tape.watch([x, scores])
            y = function(x, scores)
        return tape.gradient(y, [x, scores], unconnected_gradients="zero")

    return tf.function(run, jit_compile=jit_compile, autograph=False)


def _seconds(run, x, scores):
    start = time.perf_counter()
    for tensor in tf.nest.flatten(run(x, scores)):
        tensor.numpy()
    return time.perf_counter() - start


def main(arguments=None):
    """Measures every shape and writes a CSV file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--shapes", type=int, default=len(SHAPES), help="how many")
    parser.add_argument("--csv", default="results/la_pool.csv")
    arguments = parser.parse_args(arguments)
    path = pathlib.Path(arguments.csv)
    path.parent.mkdir(parents=True, exist_ok=True)
    cases = [
        (shape, jit_compile, gradient)
        for shape in SHAPES[: arguments.shapes]
        for jit_compile in (False, True)
        for gradient in (False, True)
    ]
    print(f"{platform.processor() or platform.machine()}, TensorFlow {tf.__version__}")
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["shape", "xla", "mode", "lower", "median", "upper"])
        for shape, jit_compile, gradient in tqdm(cases, unit="case"):
            ratios = measure(
                shape, arguments.batch, arguments.rounds, jit_compile, gradient
            )
            quartiles = statistics.quantiles(ratios, n=4)
            mode = "forward+backward" if gradient else "forward"
            row = [shape.name, jit_compile, mode, *(f"{q:.2f}" for q in quartiles)]
            writer.writerow(row)
            tqdm.write("{:<24} xla={!s:<6} {:<17} {} [{}] {}".format(*row))


if __name__ == "__main__":
    main()
