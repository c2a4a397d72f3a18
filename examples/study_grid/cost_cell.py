"""What LAP costs in training and use, and what explainers cost beside it."""

import functools

import keras
import numpy as np

from keras_lap.callbacks import KnowledgeInjection
from keras_lap.evaluation import compare
from keras_lap.evaluation.comparison.costs import costs
from keras_lap.losses import MaskSupervision
from study_grid.arms import ARMS
from study_grid.explain_cell import explainer
from study_grid.families import FAMILIES
from study_grid.networks import with_lap

SECONDS, RATIO, MEMORY = "ms per image", "time / original", "peak MiB per image"
ORIGINAL, LAP, TAUGHT = "original", "LAP", "LAP + masks"


def needs(cell):
    """None: what a network costs does not depend on its weights."""
    return []


def compute(cell, workshop):
    """Rows of results: medians over the rounds, with quartiles of the ratios.

    In each round all networks take turns, then all explainers do. A turn of training is
    a `fit` of several steps, so that what it does but once counts little. Memory is
    left out where it cannot be read, as on JAX and torch.
    """
    family, study_set = FAMILIES[cell.family], workshop.study_set(cell)
    test, count = workshop.data(cell)["test"], workshop.sizes.timed
    steps = workshop.sizes.timed_steps
    images = test["image"][:count].astype("float32")
    labels, rounds = test["label"][:count], workshop.sizes.rounds
    original = family.build(study_set.side, study_set.classes, "softmax", cell.seed)
    networks = {ORIGINAL: original}
    for name in (LAP, TAUGHT):
        networks[name] = with_lap(original, ARMS[cell.arm], study_set)
    trainings, uses = {}, {}
    for name, network in networks.items():
        network.compile("adam", "sparse_categorical_crossentropy")
        is_told = name == TAUGHT
        targets = {"label": labels, "mask": test["mask"][:count]} if is_told else labels
        repeated = keras.tree.map_structure(
            lambda array: np.repeat(array, steps, axis=0), (images, targets)
        )
        knowledge = [KnowledgeInjection([MaskSupervision()])] if is_told else []
        trainings[f"training, {name}"] = functools.partial(
            network.fit,
            *repeated,
            batch_size=count,
            verbose=0,
            callbacks=knowledge,
        )
        if not is_told:
            uses[f"prediction, {name}"] = functools.partial(
                network.predict_on_batch, images
            )
    yield from _rows(
        cell, costs(trainings, rounds), f"training, {ORIGINAL}", count, steps
    )
    yield from _rows(cell, costs(uses, rounds), f"prediction, {ORIGINAL}", count)
    asked = [explainer(name, workshop.sizes) for name in workshop.sizes.explainers]
    few = {"image": images, "label": labels}
    comparison = compare(
        networks[LAP], few, asked, [], timing_rounds=rounds, verbose=False
    )
    for row in comparison.rows:
        is_memory = row["metric"] == "peak MiB per image"
        if row["error"] is not None and not is_memory:
            raise RuntimeError(f"{row['explainer']}: {row['error']}")
        metric, unit = (MEMORY, 1) if is_memory else (SECONDS, 1e3)
        if not np.isnan(row["mean"]):
            yield cell.row(row["explainer"], metric, unit * row["mean"])


def _rows(cell, measured, baseline, count, steps=1):
    for name, cost in measured.items():
        if isinstance(cost, Exception):
            raise cost
        ratios = cost.seconds / measured[baseline].seconds
        seconds = float(np.median(cost.seconds)) / (count * steps)
        yield cell.row(name, SECONDS, 1e3 * seconds)
        if not np.isnan(cost.peak_mib):
            yield cell.row(name, MEMORY, cost.peak_mib / count)
        for quartile in (25, 50, 75):
            yield cell.row(
                name, f"{RATIO}, {quartile} %", float(np.percentile(ratios, quartile))
            )
