r"""Trains a network of keras.applications with LAP at the scale of ImageNet.

    python examples/imagenet_training.py --mock --image-size 64 --steps 2
    python examples/imagenet_training.py --data imagenet2012 --data-dir /data \
        --network ResNet50V2 --strategy multi_worker --batch-size 1024 --epochs 90 \
        --precision mixed_bfloat16 --steps-per-execution 50 --folder /shared/run

The first command takes seconds and needs no data: `--mock` draws some in their place.
The second is the same program on a cluster. Start it on every machine, with `TF_CONFIG`
set as TensorFlow asks for: Kubeflow does so, elsewhere the job's script has to. If it
is stopped, the same command goes on from the last epoch that was finished; `best.keras`
is then the best since.

TFDS cannot download ImageNet: put its archives where TFDS asks for them, and prepare it
once, on one machine, before the others start: `tfds build imagenet2012`.

What a data set knows besides the label is used: the masks of `oxford_iiit_pet`, and the
masks and boxes of `caltech_birds2011`. Of ImageNet it is the label, by `Presence`.
"""

import argparse
import contextlib
import os
import pathlib
import sys
import time

import keras
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from common.application_network import application_network
from common.drawn_examples import drawn_examples
from common.place_among_workers import place_among_workers

import keras_lap
from keras_lap import losses
from keras_lap.callbacks import ExplanationMonitor, GateAnneal, KnowledgeInjection
from keras_lap.datasets import load, with_knowledge

# The split of each data set to validate on.
VALIDATION = {
    "caltech_birds2011": "test",
    "imagenet2012": "validation",
    "oxford_iiit_pet": "test",
}
STRATEGIES = {
    "none": tf.distribute.get_strategy,
    "mirrored": tf.distribute.MirroredStrategy,
    "multi_worker": tf.distribute.MultiWorkerMirroredStrategy,
}
# Encoded images among which the next one is drawn, and how many are explained.
SHUFFLE, EXPLAINED = 10_000, 4


def main(arguments=None):
    """Trains the network, and writes checkpoints and figure.

    Args:
        arguments: Command line, by default that of the process.
    """
    options = parse_arguments(arguments)
    before = keras.config.dtype_policy()
    # So many that every batch of every epoch is whole.
    drawn = drawn_examples(4 * options.batch_size)
    with drawn if options.mock else contextlib.nullcontext():
        keras.config.set_dtype_policy(options.precision)
        try:
            train(options)
        finally:
            keras.config.set_dtype_policy(before)


def parse_arguments(arguments):
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data", choices=VALIDATION, default="imagenet2012")
    add("--data-dir", help="folder of TFDS")
    add("--mock", action="store_true", help="draw images in the place of the data")
    add("--network", default="MobileNetV2", help="name in keras.applications")
    add("--where", choices=["pooling", "all"], default="pooling", help="LAP goes")
    add("--image-size", type=int, default=224)
    add("--batch-size", type=int, default=32, help="of all replicas together")
    add("--epochs", type=int, default=1)
    add("--steps", type=int, help="of an epoch, by default one for every batch")
    add("--learning-rate", type=float, default=1e-3, help="after warming up")
    add("--warmup", type=float, default=0.05, help="share of all steps")
    add("--label-smoothing", type=float, default=0.1)
    add("--strategy", choices=STRATEGIES, default="none")
    add(
        "--precision",
        choices=["float32", "mixed_float16", "mixed_bfloat16"],
        default="float32",
    )
    add("--xla", action="store_true", help="compile steps with it")
    add("--steps-per-execution", type=int, default=1)
    add("--monitor", action="store_true", help="curves and maps for TensorBoard")
    add("--folder", type=pathlib.Path, default="results/imagenet_training")
    return parser.parse_args(arguments)


def train(options):
    """Trains alone, or as one of the workers."""
    strategy = STRATEGIES[options.strategy]()
    worker, workers = place(options.strategy)
    builder = tfds.builder(options.data, data_dir=options.data_dir)
    training, validation = (
        batches(builder, split, options, worker, workers)
        for split in ("train", VALIDATION[options.data])
    )
    # A worker has its share of the images, but in a step all take from one batch.
    steps = options.steps or int(training.cardinality()) * workers
    # Keras runs whole executions: what is left over would be steps without a rate.
    steps = max(1, steps // options.steps_per_execution) * options.steps_per_execution
    with strategy.scope():
        model = build(builder.info.features["label"].num_classes, options)
        compile_model(model, steps, options)
    # All save, because all take part in it; those of the first worker count.
    folder = options.folder / f"worker_{worker}" if worker else options.folder
    best = folder / "best.keras"
    # Without an end, so that no worker is done before the others, and in whole batches,
    # so that nothing is compiled for a smaller one.
    endless = training.repeat().rebatch(options.batch_size, drop_remainder=True)
    model.fit(
        endless.prefetch(tf.data.AUTOTUNE),
        epochs=options.epochs,
        steps_per_epoch=steps,
        validation_data=validation,
        validation_steps=options.steps,
        shuffle=False,
        verbose=0 if worker else 2,
        callbacks=[
            GateAnneal(0, options.warmup * options.epochs),
            knowledge(options.data),
            keras.callbacks.BackupAndRestore(folder / "backup"),
            keras.callbacks.ModelCheckpoint(
                best, monitor="val_accuracy", mode="max", save_best_only=True
            ),
            *([] if worker else [Throughput(options.batch_size)]),
            *(monitors(validation, folder) if options.monitor else []),
        ],
    )
    if not worker:
        names = builder.info.features["label"].names
        explain(best, validation, names, folder / "maps.png")


def place(strategy):
    """This worker's number and how many there are."""
    if strategy != "multi_worker":
        return 0, 1
    if "TF_CONFIG" not in os.environ:
        sys.exit(
            "Expected TF_CONFIG, which tells the workers of each other, with "
            "`--strategy multi_worker`. Received: none. Have the job's script set it, "
            "or take `--strategy mirrored` on a single machine."
        )
    return place_among_workers()


def batches(builder, split, options, worker, workers):
    """This worker's share of a split, read by nobody else, in batches.

    Each worker reads other files, or parts of them, and what it reads is cut into
    batches as if it read all: a strategy divides batches among all replicas.
    """
    is_training = split == "train"
    size = options.image_size
    # In float32, whatever the network computes in.
    layers = [
        keras.layers.Resizing(size, size, crop_to_aspect_ratio=True, dtype="float32")
    ]
    if is_training:
        layers.append(keras.layers.RandomFlip("horizontal", dtype="float32"))
    dataset = load(
        builder,
        tfds.even_splits(split, workers, drop_remainder=True)[worker],
        image_size=None,
        batch_size=options.batch_size,
        knowledge=with_one_hot_labels(builder),
        layers=layers,
        shuffle=SHUFFLE if is_training else 0,
    )
    sharding = tf.data.Options()
    sharding.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.OFF
    )
    return dataset.with_options(sharding)


def with_one_hot_labels(builder):
    """What the data set knows, with labels as the smoothed loss takes them."""
    known = with_knowledge(builder.name)
    classes = builder.info.features["label"].num_classes

    def read(features):
        image, targets = known(features)
        targets = targets if isinstance(targets, dict) else {"label": targets}
        return image, {**targets, "label": tf.one_hot(targets["label"], classes)}

    return read


def build(classes, options):
    """The network with LAP layers, with new weights."""
    network = application_network(
        options.network, image_size=options.image_size, classes=classes
    )
    plan = keras_lap.plan(network, where=options.where, initial_score=0.5)
    print(plan)
    return keras_lap.convert(network, plan)


def compile_model(model, steps, options):
    """Compiles with AdamW and a learning rate that warms up and falls to zero."""
    total = steps * options.epochs
    warmup = int(options.warmup * total)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0,
        total - warmup,
        warmup_target=options.learning_rate,
        warmup_steps=warmup,
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=0.05)
    optimizer.exclude_from_weight_decay(
        var_names=["bias", "gamma", "beta", "raw_alpha"]
    )
    model.compile(
        optimizer,
        keras.losses.CategoricalCrossentropy(label_smoothing=options.label_smoothing),
        metrics=["accuracy", keras.metrics.TopKCategoricalAccuracy(5, name="top_5")],
        jit_compile=options.xla,
        steps_per_execution=options.steps_per_execution,
    )


def knowledge(name):
    """The callback that teaches what a data set knows besides the label."""
    if name == "imagenet2012":
        return KnowledgeInjection([losses.Presence()], weights=0.1)
    if name == "oxford_iiit_pet":
        return KnowledgeInjection([losses.MaskSupervision()])
    return KnowledgeInjection([losses.MaskSupervision(), losses.BoxSupervision()])


class Throughput(keras.callbacks.Callback):
    """Prints how many images a second an epoch trained on.

    The first execution of each epoch, which may trace and compile, is left out.

    Args:
        batch_size: Number of images of a step.
    """

    def __init__(self, batch_size):
        super().__init__()
        self.batch_size = batch_size

    def on_epoch_begin(self, epoch, logs=None):
        self._ends = []

    def on_train_batch_end(self, batch, logs=None):
        self._ends.append((batch, time.perf_counter()))

    def on_epoch_end(self, epoch, logs=None):
        (first, start), (last, end) = self._ends[0], self._ends[-1]
        if last > first:
            rate = (last - first) * self.batch_size / (end - start)
            print(f"{rate:.1f} images per second")


def monitors(validation, folder):
    """Curves, and maps of a few images after every epoch."""
    images, labels, masks = some_examples(validation)
    maps = ExplanationMonitor(
        images,
        folder / "maps",
        concepts=np.unique(labels).tolist(),
        labels=labels,
        masks=masks,
        tensorboard=folder / "logs" / "maps",
    )
    return [keras.callbacks.TensorBoard(folder / "logs"), maps]


def some_examples(data):
    """The first images, their labels, and their masks or `None`."""
    images, targets = next(iter(data.unbatch().batch(EXPLAINED)))
    masks = targets["mask"].numpy() > 0.5 if "mask" in targets else None
    return images.numpy(), targets["label"].numpy().argmax(axis=-1), masks


def explain(path, data, class_names, figure):
    """Draws the maps of the true classes of a few images, by a saved network."""
    images, labels, masks = some_examples(data)
    explanation = keras_lap.explain(
        keras.saving.load_model(path),
        images,
        concepts=np.unique(labels).tolist(),
        labels=labels,
        masks=masks,
        class_names=class_names,
    )
    keras_lap.draw_maps(
        images,
        {"LAP, true class": explanation.of(labels)},
        captions=[class_names[label] for label in labels],
        masks=masks,
        path=figure,
    )
    print(f"Network written to {path}, figure to {figure}")


if __name__ == "__main__":
    main()
