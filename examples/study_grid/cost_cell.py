"""What LAP costs in training and use, and what explainers cost beside it."""

import functools

import numpy as np

from keras_lap.callbacks import KnowledgeInjection
from keras_lap.evaluation import compare
from keras_lap.evaluation.comparison.cost import costs
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

    In each round all networks take turns, then all explainers do.
    """
    family, study_set = FAMILIES[cell.family], workshop.study_set(cell)
    test, count = workshop.data(cell)["test"], workshop.sizes.timed
    images = test["image"][:count].astype("float32")
    labels, rounds = test["label"][:count], workshop.sizes.rounds
    original = family.build(study_set.side, study_set.classes, "softmax", cell.seed)
    networks = {ORIGINAL: original}
    for name in (LAP, TAUGHT):
        networks[name] = with_lap(original, ARMS[cell.arm], study_set, family)
    trainings, uses = {}, {}
    for name, network in networks.items():
        network.compile("adam", "sparse_categorical_crossentropy")
        is_told = name == TAUGHT
        targets = {"label": labels, "mask": test["mask"][:count]} if is_told else labels
        knowledge = [KnowledgeInjection([MaskSupervision()])] if is_told else []
        trainings[f"training, {name}"] = functools.partial(
            network.fit,
            images,
            targets,
            batch_size=count,
            verbose=0,
            callbacks=knowledge,
        )
        if not is_told:
            uses[f"prediction, {name}"] = functools.partial(
                network.predict_on_batch, images
            )
    yield from _rows(cell, costs(trainings, rounds), f"training, {ORIGINAL}", count)
    yield from _rows(cell, costs(uses, rounds), f"prediction, {ORIGINAL}", count)
    asked = [explainer(name, workshop.sizes) for name in workshop.sizes.explainers]
    few = {"image": images, "label": labels}
    comparison = compare(
        networks[LAP], few, asked, [], timing_rounds=rounds, verbose=False
    )
    for row in comparison.rows:
        is_time = row["metric"] == "seconds per image"
        yield cell.row(
            row["explainer"],
            SECONDS if is_time else MEMORY,
            1e3 * row["mean"] if is_time else row["mean"],
        )


def _rows(cell, measured, baseline, count):
    for name, cost in measured.items():
        if isinstance(cost, Exception):
            raise cost
        ratios = cost.seconds / measured[baseline].seconds
        yield cell.row(name, SECONDS, 1e3 * float(np.median(cost.seconds)) / count)
        yield cell.row(name, MEMORY, cost.peak_mib / count)
        for quartile in (25, 50, 75):
            yield cell.row(
                name, f"{RATIO}, {quartile} %", float(np.percentile(ratios, quartile))
            )
