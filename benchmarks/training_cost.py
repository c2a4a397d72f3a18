"""What LAP and a knowledge loss add to a training step.

Per network three models are trained in turn, on the same batch: the original, the
converted one, and the converted one with a loss on each of its LAP layers. What is
reported is the median of the ratios of their times, with quartiles. With `--first` it
is the time of a first `fit` of so many steps, most of which goes into tracing.
"""

import argparse
import functools
import pathlib
import platform
import statistics

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

import keras_lap
from keras_lap import losses
from keras_lap.callbacks import KnowledgeInjection
from keras_lap.utils.paired_rounds import QUARTILES, ratio_quartiles, time_in_rounds
from keras_lap.utils.write_csv import write_csv

NETWORKS = ("ResNet50", "MobileNetV2")
ORIGINAL, CONVERTED, INJECTED = "original", "converted", "with knowledge"


def main(arguments=None):
    """Measures the networks and writes a CSV file and a table."""
    arguments = parse_arguments(arguments)
    print(f"{platform.processor() or platform.machine()}, TensorFlow {tf.__version__}")
    rows = []
    with tqdm(total=arguments.rounds * len(arguments.networks), unit="round") as bar:
        for network in arguments.networks:
            rows += measure(network, arguments, bar.update)
    path = pathlib.Path(arguments.csv)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_csv(path, rows[0], rows)
    print(table(rows))


def parse_arguments(arguments):
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--where", choices=["pooling", "all"], default="pooling")
    parser.add_argument("--loss", default="Presence", help="out of keras_lap.losses")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--size", type=int, default=224, help="of the images")
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=2, help="per round")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--first", action="store_true", help="compile in each round")
    parser.add_argument("--jit-compile", action="store_true")
    parser.add_argument("--csv", default="results/training_cost.csv")
    return parser.parse_args(arguments)


def measure(network, arguments, on_round=None):
    """Rows of the table for one network."""
    original = getattr(keras.applications, network)(
        input_shape=(arguments.size, arguments.size, 3),
        weights=None,
        classes=arguments.classes,
    )
    converted, injected = (
        keras_lap.convert(original, where=arguments.where) for _ in range(2)
    )
    for layer in [*keras_lap.lap_layers(converted), *keras_lap.lap_layers(injected)]:
        layer.gate.assign(1)
    knowledge = KnowledgeInjection([getattr(losses, arguments.loss)()], weights=0.1)
    models = {ORIGINAL: original, CONVERTED: converted, INJECTED: injected}
    runs = {}
    for name, model in models.items():
        train = functools.partial(
            model.fit,
            *batches(arguments),
            batch_size=arguments.batch,
            verbose=0,
            callbacks=[knowledge] if name == INJECTED else [],
        )
        start = functools.partial(compile_and_train, model, train, arguments)
        start()
        runs[name] = start if arguments.first else train
    seconds = time_in_rounds(runs, arguments.rounds, on_round=on_round)
    for name, baselines in (
        (CONVERTED, [ORIGINAL]),
        (INJECTED, [CONVERTED, ORIGINAL]),
    ):
        for baseline in baselines:
            quartiles = ratio_quartiles(seconds[name], seconds[baseline])
            median = statistics.median(seconds[name].values())
            yield {
                "network": network,
                "loss": arguments.loss,
                "layers": len(keras_lap.lap_layers(converted)),
                "model": name,
                "milliseconds": 1e3 * median / arguments.steps,
                "over": baseline,
                **dict(zip(QUARTILES, quartiles, strict=True)),
            }


def compile_and_train(model, train, arguments):
    """Trains a model for which nothing has been traced yet."""
    model.compile(
        keras.optimizers.SGD(1e-3, momentum=0.9),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=arguments.jit_compile,
    )
    train()


def batches(arguments):
    """Images and labels of one round."""
    rng = np.random.default_rng(0)
    count = arguments.batch * arguments.steps
    images = rng.uniform(-1, 1, (count, arguments.size, arguments.size, 3))
    return images.astype("float32"), rng.integers(arguments.classes, size=count)


def table(rows):
    """Markdown: one line per comparison."""
    lines = [
        "| network | LAP layers | model | ms per step | over | ratio |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            "| {network} | {layers} | {model} | {milliseconds:.0f} | {over} "
            "| {ratio_median:.3f} [{ratio_lower:.3f}, {ratio_upper:.3f}] |".format(
                **row
            )
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
