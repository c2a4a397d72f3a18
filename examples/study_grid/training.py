"""Trains the network of an arm."""

from dataclasses import dataclass, field
from typing import Any

import keras

from keras_lap.callbacks import GateAnneal, KnowledgeInjection
from keras_lap.losses import RightReasons
from study_grid.attention import attention_loss, attention_targets, with_attention
from study_grid.batches import Batches
from study_grid.knowledge import KINDS, told_images
from study_grid.networks import with_closed_gates, with_lap
from study_grid.weights import WEIGHTS

BATCH_SIZE = 16
LEARNING_RATE = 1e-3
# Share of every batch. Where fewer images are told of, they are drawn more often.
LEAST_TOLD = 0.25


def train(arm, network, split, study_set, seed, epochs):
    """Trains a network as an arm says.

    All arms take the same number of steps, and see the same images in the same order,
    but for arms that are told of few: there some of these take the place of others.

    Args:
        arm: An `Arm`.
        network: The network to start from, which may be trained itself.
        split: Dict of the arrays of the training images.
        study_set: A `StudySet`.
        seed: Seed of the order of the images, and of which are told about.
        epochs: Number of epochs.

    Returns:
        The trained network.
    """
    keras.utils.set_random_seed(seed)
    told = told_images(len(split["label"]), arm.share, seed)
    setup = _setup(arm, network, split, told, study_set)
    if arm.lap is not None and arm.anneal:
        setup.callbacks.append(GateAnneal(end=arm.anneal * epochs))
    steps = epochs * -(-len(told) // BATCH_SIZE)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps, warmup_target=LEARNING_RATE, warmup_steps=steps // 20
    )
    task = "binary" if study_set.several else "sparse_categorical"
    setup.model.compile(
        keras.optimizers.Adam(rate),
        [f"{task}_crossentropy", *setup.losses],
        loss_weights=setup.weights,
    )
    batches = Batches(
        split["image"],
        setup.targets,
        BATCH_SIZE,
        seed,
        wanted=told,
        least=round(LEAST_TOLD * BATCH_SIZE),
    )
    setup.model.fit(batches, epochs=epochs, callbacks=setup.callbacks, verbose=0)
    return setup.network


@dataclass
class _Setup:
    """What is fitted to what.

    Attributes:
        network: The network that comes of it.
        model: What is fitted, the network or one around it.
        targets: Labels, and what else is known.
        callbacks: List of callbacks.
        losses: Losses of further outputs of the model.
        weights: Weights of the losses of the outputs.
    """

    network: keras.Model
    model: keras.Model
    targets: Any
    callbacks: list = field(default_factory=list)
    losses: list = field(default_factory=list)
    weights: list | None = None


def _setup(arm, network, split, told, study_set):
    if arm.told == "GAIN":
        return _with_attention(arm, network, split, told, study_set)
    if arm.told == "RRR":
        return _with_right_reasons(arm, network, split, told)
    if arm.lap is None:
        return _Setup(network, network, split["label"])
    return _with_lap(arm, network, split, told, study_set)


def _with_lap(arm, network, split, told, study_set):
    network = with_lap(network, arm, study_set)
    setup = _Setup(network, network, split["label"])
    if arm.told is not None:
        kind = KINDS[arm.told]
        setup.targets = kind.targets(split, told)
        setup.callbacks.append(
            kind.callback(WEIGHTS[arm.told], told_share(arm), study_set.several)
        )
    return setup


def _with_right_reasons(arm, network, split, told):
    network = with_closed_gates(network)
    targets = {"label": split["label"], "mask": split["mask"], "valid": {"mask": told}}
    weight = WEIGHTS[arm.told] / told_share(arm)
    callback = KnowledgeInjection([RightReasons()], weights=weight)
    return _Setup(network, network, targets, [callback])


def _with_attention(arm, network, split, told, study_set):
    model = with_attention(network)
    masks, labels, size = split["mask"], split["label"], model.outputs[1].shape[1:3]
    maps = attention_targets(masks, labels, told, size, study_set.classes)
    weights = [1.0, WEIGHTS[arm.told] / told_share(arm)]
    return _Setup(network, model, (labels, maps), [], [attention_loss], weights)


def told_share(arm):
    """Least share of the images of a batch that are told of."""
    return max(arm.share, LEAST_TOLD)
