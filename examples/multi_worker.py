"""Several workers train one network with knowledge, and go on after a crash.

On a cluster start this script on every machine, with `TF_CONFIG` set as TensorFlow asks
for: Kubeflow does so, elsewhere the job's script has to. Without `TF_CONFIG` it starts
two workers on this machine.

Each worker reads its share of the batches. `BackupAndRestore` keeps the state after
every epoch: if the workers are stopped within one, the same command begins it anew. The
data set has to be there, or be prepared by one worker, before many want to.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

import keras
import tensorflow as tf
from common.digit_tools import build_network
from common.free_ports import free_ports
from common.place_among_workers import place_among_workers

from keras_lap.callbacks import KnowledgeInjection
from keras_lap.datasets import ClutteredDigits, ClutteredDigitsConfig, load
from keras_lap.losses import BoxSupervision


def main(arguments=None, count=2):
    """Runs one worker, or starts some on this machine.

    Args:
        arguments: Command line, by default that of the process.
        count: How many to start.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parse_arguments(arguments)
    if "TF_CONFIG" in os.environ:
        work(options)
        return
    # Once, before several workers try to.
    make_builder(options).download_and_prepare()
    start_workers(arguments, count)


def parse_arguments(arguments):
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=64, help="of all workers")
    parser.add_argument("--images", type=int, help="to train on, by default all")
    parser.add_argument("--data-dir", help="folder for the data set")
    parser.add_argument("--folder", default="results/multi_worker", help="to write to")
    return parser.parse_args(arguments)


def make_builder(options):
    """The data set, of as many images as asked for."""
    count, config = options.images, "clutter"
    if count is not None:
        config = ClutteredDigitsConfig(
            name=f"clutter_{count}", train=count, validation=1, test=1
        )
    return ClutteredDigits(config=config, data_dir=options.data_dir)


def work(options):
    """Trains as one of the workers; the first one saves the network."""
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    number, _ = place_among_workers()
    folder = pathlib.Path(options.folder)
    data = load(
        make_builder(options),
        image_size=None,
        batch_size=options.batch_size,
        shuffle=10_000,
        # The same order for all, of which each takes its share.
        seed=0,
    )
    sharding = tf.data.Options()
    sharding.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.DATA
    )
    with strategy.scope():
        model = build_network(initial_score=0.05)
        model.compile(
            keras.optimizers.Adam(2e-3),
            "sparse_categorical_crossentropy",
            metrics=["accuracy"],
        )
    model.fit(
        data.with_options(sharding),
        epochs=options.epochs,
        verbose=0 if number else 2,
        callbacks=[
            KnowledgeInjection([BoxSupervision()], warmup=1),
            keras.callbacks.BackupAndRestore(folder / f"backup_{number}"),
        ],
    )
    if not number:
        model.save(folder / "network.keras")
        print(f"Network written to {folder / 'network.keras'}")


def start_workers(arguments, count):
    """Starts workers on this machine, and stops all if one fails."""
    workers = [f"127.0.0.1:{port}" for port in free_ports(count)]
    processes = []
    for index in range(count):
        task = {"type": "worker", "index": index}
        config = json.dumps({"cluster": {"worker": workers}, "task": task})
        processes.append(
            subprocess.Popen(
                [sys.executable, __file__, *arguments],
                env={**os.environ, "TF_CONFIG": config},
            )
        )
    try:
        codes = [None] * count
        while None in codes and not any(codes):
            time.sleep(0.2)
            codes = [process.poll() for process in processes]
    finally:
        for process in processes:
            process.kill()
    if any(codes):
        sys.exit(f"A worker failed: they ended with {codes}")


if __name__ == "__main__":
    main()
