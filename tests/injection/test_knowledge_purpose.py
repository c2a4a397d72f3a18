"""Training with a knowledge loss moves the maps to where they belong.

Small networks are trained with the loss and without its weight, on problems of which
the right maps are known.
"""

import keras
import numpy as np
import pytest
from backend_limits import initial_weights
from injection_problem import fit_steps
from keras import layers, ops
from step_options import GRAPH

from keras_lap import GlobalLAPooling2D
from keras_lap.callbacks import KnowledgeInjection
from keras_lap.layers import score_tape
from keras_lap.losses import (
    AreaPrior,
    BoxSupervision,
    ConceptLabels,
    Exclusivity,
    MaskSupervision,
    Necessity,
    Presence,
    Sufficiency,
)

COUNT, SIZE = 32, 16


def trained_maps(x, y, losses, weights, output="softmax", steps=50):
    """Scores `(N, H, W, 2)` of a network after training."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input(x.shape[1:]),
            layers.Conv2D(8, 5, padding="same", activation="relu"),
            GlobalLAPooling2D(concepts=2),
            layers.Dense(2, activation=output),
        ]
    )
    loss = {
        "softmax": "sparse_categorical_crossentropy",
        "sigmoid": "binary_crossentropy",
    }[output]
    model.compile(keras.optimizers.Adam(0.05), loss, metrics=["accuracy"], **GRAPH)
    injection = KnowledgeInjection(losses, weights=weights)
    history = fit_steps(model, x, y, steps, [injection])
    assert np.isfinite(history["loss"]).all()
    with score_tape() as records:
        model(x)
    return ops.convert_to_numpy(records[-1].scores)


def place(rng, x, channel=0, value=1.0):
    """Puts a blob of 4 by 4 pixels at a random place of each image; its mask."""
    mask = np.zeros((len(x), SIZE, SIZE))
    for image, inside in zip(x, mask, strict=True):
        top, left = rng.integers(4, SIZE - 4, size=2)
        inside[top : top + 4, left : left + 4] = 1
        image[..., channel] += value * inside
    return mask


def noise(rng, channels=1):
    return rng.normal(scale=0.1, size=(COUNT, SIZE, SIZE, channels)).astype("float32")


@pytest.fixture(scope="module")
def decoy():
    """A bright or dark blob tells the class; so does a corner."""
    rng = np.random.default_rng(0)
    x, label = noise(rng), np.arange(COUNT) % 2
    sign = 2 * label - 1
    mask = np.zeros((COUNT, SIZE, SIZE))
    for value in (0, 1):
        mask[label == value] = place(rng, x[label == value])
    x[..., 0] += mask * sign[:, None, None]
    x[:, :3, :3, 0] += 2 * sign[:, None, None]
    return x, label, mask


@pytest.fixture(scope="module")
def untaught(decoy):
    """The maps of the label that the task alone makes of it."""
    x, label, _ = decoy
    return of_label(trained_maps(x, label, [Presence()], 0), label)


def of_label(maps, label):
    return maps[np.arange(COUNT), ..., label]


def share_inside(maps, mask):
    """Mean share of the score that lies in the mask, a sixteenth of the image."""
    return np.mean(np.sum(maps * mask, axis=(1, 2)) / np.sum(maps, axis=(1, 2)))


def bounding_boxes(mask):
    """The box of each mask, `(N, 1, 4)`."""
    boxes = []
    for inside in mask:
        y, x = np.nonzero(inside)
        boxes.append([[y.min(), x.min(), y.max() + 1, x.max() + 1]])
    return np.array(boxes) / SIZE


@pytest.mark.torch_suffices
def test_masks_move_the_map_onto_the_object(decoy, untaught):
    x, label, mask = decoy
    y = {"label": label, "mask": mask}
    taught = of_label(trained_maps(x, y, [MaskSupervision()], 1), label)
    shares = [share_inside(maps, mask) for maps in (untaught, taught)]
    assert shares[0] < 0.2
    assert shares[1] > 0.5


@pytest.mark.torch_suffices
def test_boxes_move_the_map_onto_the_object_and_to_its_sides(decoy, untaught):
    x, label, mask = decoy
    y = {"label": label, "boxes": bounding_boxes(mask)}
    taught = of_label(trained_maps(x, y, [BoxSupervision()], 3), label)
    shares, reached = [], []
    for maps in (untaught, taught):
        shares.append(share_inside(maps, mask))
        inside = maps * mask > 0.5
        lines = [inside.any(axis=axis).sum() for axis in (1, 2)]
        reached.append(sum(lines) / (2 * 4 * COUNT))
    # Where the task alone is right, it is so by a map that is high everywhere.
    assert shares[0] < 0.1
    assert shares[1] > 0.4
    assert reached[0] < 0.6
    assert reached[1] > 0.95


@initial_weights
def test_labels_make_concepts_of_the_classes(rng):
    """A blob in one of two channels tells the class, and nothing else is known."""
    x, label = noise(rng, 2), np.arange(COUNT) % 2
    inside = np.zeros((COUNT, SIZE, SIZE))
    for channel in (0, 1):
        images = x[label == channel]
        inside[label == channel] = place(rng, images, channel, value=2)
        x[label == channel] = images
    shares, absent = [], []
    for weight in (0, 1):
        maps = trained_maps(x, label, [Presence()], weight)
        shares.append(share_inside(of_label(maps, label), inside))
        absent.append(np.max(of_label(maps, 1 - label)))
    assert shares[0] < 0.4
    assert shares[1] > 0.4
    assert absent[0] > 0.5
    assert absent[1] < 0.1


@pytest.mark.torch_suffices
def test_attributes_make_concepts_of_them(rng):
    """The label says nothing of the two kinds of blobs; some attributes do."""
    x = noise(rng, 2)
    attributes = rng.integers(2, size=(COUNT, 2))
    inside, around = np.zeros((2, COUNT, SIZE, SIZE, 2))
    for channel in (0, 1):
        inside[..., channel] = place(rng, np.zeros_like(x))
    inside *= attributes[:, None, None]
    # What the network can see a part of, and may take for the whole.
    for n, y, x_, k in zip(*np.nonzero(inside), strict=True):
        around[n, y - 2 : y + 3, x_ - 2 : x_ + 3, k] = 1
    x += 2 * inside
    known = attributes.copy()
    known[rng.uniform(size=known.shape) < 0.3] = -1
    y = {"label": rng.integers(2, size=COUNT), "concepts": known}
    right = []
    for weight in (0, 3):
        high = trained_maps(x, y, [ConceptLabels()], weight) > 0.5
        found = np.any(high * inside, axis=(1, 2)) == attributes
        spilled = np.any(high * (1 - around), axis=(1, 2))
        right.append(np.mean(found & ~spilled))
    assert right[0] < 0.6
    assert right[1] > 0.9


@initial_weights
def test_areas_are_kept(decoy, untaught):
    x, label, _ = decoy
    area = np.full((COUNT, 2, 2), [0.2, 0.3])
    area[::2] = [-1, 0.02]
    y = {"label": label, "area": area}
    taught = of_label(trained_maps(x, y, [AreaPrior()], 100), label)
    kept = []
    for maps in (untaught, taught):
        share = maps.mean(axis=(1, 2))
        low, high = area[np.arange(COUNT), label].T
        kept.append(np.mean((low - 0.01 < share) & (share < high + 0.01)))
    assert kept[0] < 0.1
    assert kept[1] > 0.9


@pytest.mark.torch_suffices
def test_exclusive_concepts_part(rng):
    """Two blobs in every image: either may be either concept, but not both."""
    x = noise(rng, 2)
    for channel in (0, 1):
        place(rng, x, channel)
    overlaps = []
    for weight in (0, 10):
        terms = [Presence(), Exclusivity()]
        y = np.ones((COUNT, 2))
        maps = trained_maps(x, y, terms, [1, weight], output="sigmoid")
        assert (maps.max(axis=(1, 2)) > 0.9).all()
        overlaps.append(np.mean(np.max(np.prod(maps, axis=-1), axis=(1, 2))))
    assert overlaps[0] > 0.9
    assert overlaps[1] < 0.01


def network_that_knows_its_task(x, y):
    """Its scores are high everywhere and learn from knowledge alone."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input(x.shape[1:]),
            layers.Conv2D(8, 5, padding="same", activation="relu"),
            GlobalLAPooling2D(concepts=1, initial_score=0.9, detach_scores=True),
            layers.Dense(2, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.02), "bce", **GRAPH)
    fit_steps(model, x, y, 150)
    predictions = ops.convert_to_numpy(model(x))
    assert np.mean((predictions > 0.5) == y) > 0.9
    return model


def maps_on_top(model, begin, x, y, losses, weights):
    """Scores `(N, H, W)` of a model that goes on from the weights `begin`."""
    model.set_weights(begin)
    model.compile(keras.optimizers.Adam(0.005), "bce", **GRAPH)
    fit_steps(model, x, y, 80, [KnowledgeInjection(losses, weights=weights)])
    with score_tape() as records:
        model(x)
    return ops.convert_to_numpy(records[-1].scores)[..., 0]


@pytest.mark.torch_suffices
def test_small_maps_find_all_that_the_classes_are_told_by(rng):
    """A blob per class that is present, in a channel of its own."""
    x = noise(rng, 2)
    y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "float32")[np.arange(COUNT) % 4]
    blobs = np.stack([place(rng, np.zeros_like(x)) for _ in range(2)], axis=-1)
    blobs = blobs * y[:, None, None]
    x += blobs
    model = network_that_knows_its_task(x, y)
    begin = model.get_weights()
    found, areas = [], []
    for losses in ([], [Necessity("sigmoid")], [Sufficiency("sigmoid")]):
        weights = [1, 10][: 1 + len(losses)]
        losses = [AreaPrior(max_area=0.1), *losses]
        maps = maps_on_top(model, begin, x, y, losses, weights)
        shown = np.sum(maps[..., None] * blobs, axis=(1, 2)) / 16
        found.append(np.mean(shown[y > 0] > 0.5))
        areas.append(maps[y.any(axis=-1)].mean())
    assert found[0] < 0.1
    assert min(found[1:]) > 0.9
    assert max(areas) < 0.4
