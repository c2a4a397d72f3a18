"""Times `keras_lap.la_pool` against TensorFlow's poolings on the CPU.

Everything is called in turn in one process and compared round by round: what is
reported is the median of the ratios, with their quartiles. A copy of as many bytes as
the pooling has to read and write shows the memory roof.
"""

import argparse
import concurrent.futures
import dataclasses
import functools
import os
import pathlib
import platform
import statistics
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from tqdm import tqdm

import keras_lap
from keras_lap.cli.pooling_shapes import POOLING_SHAPES
from keras_lap.utils.paired_rounds import QUARTILES, ratio_quartiles, time_in_rounds
from keras_lap.utils.write_csv import write_csv


def _pooling(implementation):
    def pool(shape, x, scores):
        return keras_lap.la_pool(
            x,
            scores,
            2.0,
            shape.window,
            shape.stride,
            shape.padding,
            data_format="channels_last",
            implementation=implementation,
        )

    return pool


def _max_pool(shape, x, scores):
    return tf.nn.max_pool2d(x, shape.window, shape.stride, shape.padding.upper())


def _average_pool(shape, x, scores):
    return tf.nn.avg_pool2d(x, shape.window, shape.stride, shape.padding.upper())


@dataclasses.dataclass(frozen=True)
class Provider:
    """Something that pools, and in which rounds it is timed."""

    name: str
    pool: Callable
    every: int = 1


BASELINE = Provider("tf.nn.max_pool2d", _max_pool)
PROVIDERS = (
    BASELINE,
    Provider("la_pool", _pooling("fused")),
    Provider("tf.nn.avg_pool2d", _average_pool),
    # Without XLA it is an order of magnitude slower than the rest.
    Provider("la_pool reference", _pooling("reference"), every=5),
)
COPY = "copy of the same bytes"


@dataclasses.dataclass(frozen=True)
class Measurement:
    """Seconds of every round and the peak memory of one provider."""

    provider: str
    seconds: dict
    peak_bytes: int | None = None


def measure(shape, batch, rounds, jit_compile, gradient):
    """Times every provider, and a copy.

    Args:
        shape: A `PoolingShape`.
        batch: Number of images.
        rounds: Number of rounds.
        jit_compile: Whether XLA compiles the providers.
        gradient: Whether the gradient is computed too.

    Returns:
        List of `Measurement`, the baseline first and the copy last; peak memory is
        what a call holds beside its inputs, `None` where TensorFlow does not count it.
    """
    rng = np.random.default_rng(0)
    height, width, channels = shape.size
    x = tf.constant(rng.random((batch, height, width, channels), "float32"))
    scores = tf.constant(rng.random((batch, height, width, 1), "float32"))
    runs = {
        provider: _compiled(provider, shape, gradient, jit_compile)
        for provider in PROVIDERS
    }
    results = runs[BASELINE](x, scores)
    copy = _Copy(_bytes_to_move(x, scores, results, gradient))
    del results
    peaks = {provider: _peak_bytes(run, x, scores) for provider, run in runs.items()}
    calls = {p.name: functools.partial(run, x, scores) for p, run in runs.items()}
    calls[COPY] = copy
    seconds = time_in_rounds(calls, rounds, every={p.name: p.every for p in PROVIDERS})
    return [
        *(Measurement(p.name, seconds[p.name], peaks[p]) for p in PROVIDERS),
        Measurement(COPY, seconds[COPY]),
    ]


def _compiled(provider, shape, gradient, jit_compile):
    def run(x, scores):
        if not gradient:
            return [provider.pool(shape, x, scores)]
        with tf.GradientTape() as tape:
            tape.watch([x, scores])
            y = provider.pool(shape, x, scores)
        # Constant gradients are no work; XLA would fold them away.
        return [y, *tape.gradient(y, [x, scores], y, unconnected_gradients="none")]

    return tf.function(run, jit_compile=jit_compile, autograph=False)


def _bytes_to_move(x, scores, results, gradient):
    """What pooling must read and write, at the least, if caches hold nothing."""
    read, y = _bytes(x) + _bytes(scores), _bytes(results[0])
    forward = read + y
    return forward + (2 * read + y if gradient else 0)


def _bytes(tensor):
    return int(tf.size(tensor)) * tensor.dtype.size


class _Copy:
    """Copies so many bytes that reads and writes add up to `total`, in threads."""

    def __init__(self, total):
        source = np.ones(total // 2, "uint8")
        workers = os.cpu_count()
        self._pool = concurrent.futures.ThreadPoolExecutor(workers)
        self._parts = list(
            zip(
                np.array_split(np.empty_like(source), workers),
                np.array_split(source, workers),
                strict=True,
            )
        )

    def __call__(self):
        list(self._pool.map(lambda part: np.copyto(*part), self._parts))


def _peak_bytes(run, x, scores):
    run(x, scores)
    try:
        tf.config.experimental.reset_memory_stats("CPU:0")
    except ValueError:
        # So it is where TensorFlow does without oneDNN.
        return None
    before = tf.config.experimental.get_memory_info("CPU:0")["current"]
    run(x, scores)
    return tf.config.experimental.get_memory_info("CPU:0")["peak"] - before


def rows(shape, batch, rounds, jit_compile, gradient):
    """Measures one case and yields a CSV row per provider."""
    measurements = measure(shape, batch, rounds, jit_compile, gradient)
    for measurement in measurements:
        quartiles = ratio_quartiles(measurement.seconds, measurements[0].seconds)
        peak = measurement.peak_bytes
        yield {
            "shape": shape.name,
            "xla": jit_compile,
            "mode": "forward+backward" if gradient else "forward",
            "provider": measurement.provider,
            "milliseconds": 1e3 * statistics.median(measurement.seconds.values()),
            **dict(zip(QUARTILES, quartiles, strict=True)),
            "peak_mib": None if peak is None else peak / 2**20,
        }


def table(results):
    """Markdown: per shape and mode, the time of each provider over the baseline's."""
    names = [p.name for p in PROVIDERS[1:]] + [COPY]
    lines = [
        "| pooling | XLA | pass | max pooling, ms | "
        + " | ".join(names)
        + " | peak MiB |",
        "|---" * (len(names) + 5) + "|",
    ]
    for start in range(0, len(results), len(names) + 1):
        baseline, *others = results[start : start + len(names) + 1]
        cells = [
            "{ratio_median:.2f} [{ratio_lower:.2f}, {ratio_upper:.2f}]".format(**row)
            for row in others
        ]
        lines.append(
            f"| {baseline['shape']} | {'yes' if baseline['xla'] else 'no'} "
            f"| {baseline['mode']} | {baseline['milliseconds']:.2f} | "
            + " | ".join(cells)
            + f" | {_mib(others[0])} / {_mib(baseline)} |"
        )
    return "\n".join(lines) + "\n"


def _mib(row):
    return "-" if row["peak_mib"] is None else f"{row['peak_mib']:.0f}"


def main(arguments=None):
    """Measures every shape and writes a CSV file and a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument(
        "--shapes", type=int, default=len(POOLING_SHAPES), help="how many"
    )
    parser.add_argument("--csv", default="results/la_pool.csv")
    arguments = parser.parse_args(arguments)
    path = pathlib.Path(arguments.csv)
    path.parent.mkdir(parents=True, exist_ok=True)
    cases = [
        (shape, jit_compile, gradient)
        for shape in POOLING_SHAPES[: arguments.shapes]
        for jit_compile in (False, True)
        for gradient in (False, True)
    ]
    print(f"{platform.processor() or platform.machine()}, TensorFlow {tf.__version__}")
    results = []
    for shape, jit_compile, gradient in tqdm(cases, unit="case"):
        results += rows(shape, arguments.batch, arguments.rounds, jit_compile, gradient)
    write_csv(path, results[0], results)
    path.with_suffix(".md").write_text(table(results))
    print(table(results))


if __name__ == "__main__":
    main()
