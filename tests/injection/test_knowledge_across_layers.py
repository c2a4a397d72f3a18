"""Losses on several layers at a time: `Consistency`, and losses of a user's own."""

import json

import keras
import numpy as np
import pytest
from autodiff import gradients
from backend_limits import COMPILED, outlives_step
from injection_problem import (
    ALLOWED,
    CLASSES,
    SAMPLES,
    SIZE,
    Subclassed,
    as_float64,
    compiled,
    first,
    fit,
    fit_steps,
    make_model,
    own_losses,
    scored,
)
from keras import layers, ops
from knowledge_oracles import consistency
from numeric_gradients import numeric_gradient
from step_options import EAGER
from tolerances import assert_close, tolerance

from keras_lap import GlobalLAPooling2D, LAPooling2D
from keras_lap.callbacks import KnowledgeInjection
from keras_lap.graph.receptive_grid import ReceptiveGrid
from keras_lap.layers import score_tape
from keras_lap.losses import (
    Consistency,
    CrossLayerLoss,
    MaskSupervision,
    SupervisedLayer,
)

pytest_plugins = ["injection_problem"]

IMAGE = 12
WHOLE = ReceptiveGrid((6, 5), (0.5, 1.0), (2.0, 2.0))
CHAINS = {
    "windows": [WHOLE, WHOLE.behind_windows((2, 2), (2, 2), "valid")],
    "overlapping windows": [WHOLE, WHOLE.behind_windows((3, 3), (2, 2), "same")],
    "several layers between": [WHOLE, ReceptiveGrid((2, 2), (2.5, 2.0), (5.0, 6.0))],
    "beyond the outermost pixels": [WHOLE, WHOLE.behind((4, 6), (-3, -3), (2, 2))],
    "finer": [WHOLE, WHOLE.resized((7, 8))],
    "a single pixel": [WHOLE, WHOLE.resized((1, 1))],
    "three layers": [WHOLE, WHOLE.resized((4, 4)), WHOLE.resized((2, 1))],
}
every_chain = pytest.mark.parametrize("grids", CHAINS.values(), ids=CHAINS)


def cells_of(grid):
    return [grid.cells(axis, IMAGE) for axis in (0, 1)]


def chain(rng, grids, concepts=None, samples=3):
    """Pairs of logits in float64 and cells."""
    concepts = concepts or [2] * len(grids)
    return [
        (rng.normal(scale=2, size=(samples, *grid.size, count)), cells_of(grid))
        for grid, count in zip(grids, concepts, strict=True)
    ]


def supervised(pairs):
    return [SupervisedLayer(*pair) for pair in pairs]


@every_chain
@pytest.mark.torch_suffices
def test_equals_the_oracle(rng, grids):
    pairs = chain(rng, grids)
    actual = Consistency()(supervised(pairs))
    assert keras.backend.standardize_dtype(actual.dtype) == "float32"
    assert_close(actual, consistency(pairs), **tolerance("float32", 30))


@pytest.mark.parametrize("concepts", [(1, 1), (1, 3), (3, 1), (3, 3)])
@pytest.mark.torch_suffices
def test_a_single_concept_meets_the_highest_of_others(rng, concepts):
    pairs = chain(rng, CHAINS["windows"], concepts)
    allowed = tolerance("float32", 30)
    assert_close(Consistency()(supervised(pairs)), consistency(pairs), **allowed)


@pytest.mark.torch_suffices
def test_windows_are_those_of_the_pooling(rng):
    """Of 2 by 2 pixels where nothing else lies between the layers."""
    logits = rng.normal(size=(2, 6, 4, 1))
    best = logits.reshape(2, 3, 2, 2, 2, 1).max(axis=(2, 4))
    values = Consistency()([SupervisedLayer(logits), SupervisedLayer(best)])
    assert_close(values, [0, 0], 0, 1e-12)


@every_chain
@pytest.mark.one_in(2)
def test_gradient_equals_differences_and_the_deepest_layer_has_none(rng, grids):
    pairs = chain(rng, grids, samples=1)

    def loss(logits):
        given = [(logits[i], cells) for i, (_, cells) in enumerate(pairs)]
        return Consistency().call(supervised(given))

    of_layers = gradients(loss, {i: z for i, (z, _) in enumerate(pairs)})
    *found, of_deepest = of_layers.values()
    assert_close(of_deepest, 0 * pairs[-1][0], 0, 0)
    for i, gradient in enumerate(found):
        # A layer in between teaches as well, which must not move it.
        pair = pairs[i : i + 2]

        def value(z, pair=pair):
            return np.sum(consistency([(z, pair[0][1]), pair[1]]))

        expected = numeric_gradient(value, pair[0][0]) / len(found)
        assert_close(gradient, expected, 1e-9, 1e-9)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.torch_suffices
def test_half_precision_is_computed_in_float32(rng, dtype):
    pairs = [(ops.cast(z, dtype), cells) for z, cells in chain(rng, [WHOLE, WHOLE])]
    exact = [(ops.cast(z, "float32"), cells) for z, cells in pairs]
    values = Consistency()(supervised(pairs))
    assert_close(values, Consistency()(supervised(exact)), 0, 0)


def test_extreme_logits_stay_finite(rng):
    pairs = [
        (np.sign(z).astype("float32") * 1e4, cells)
        for z, cells in chain(rng, CHAINS["overlapping windows"])
    ]
    (shallow, cells), deep = pairs

    def loss(given):
        return Consistency()(supervised([(given["logits"], cells), deep]))

    given = {"logits": shallow}
    assert_close(loss(given), consistency(pairs), **tolerance("float32", 30))
    found = gradients(loss, given)["logits"]
    assert np.isfinite(ops.convert_to_numpy(found)).all()


def test_survives_serialisation():
    loss = Consistency(name="agreement")
    text = json.dumps(keras.saving.serialize_keras_object(loss))
    copy = keras.saving.deserialize_keras_object(json.loads(text))
    assert type(copy) is Consistency
    assert copy.get_config() == {"name": "agreement"}
    assert Consistency().name == "consistency"


@pytest.mark.parametrize(
    "sizes, pattern",
    [
        ([(1, 4, 4, 2)], "at least two LAP layers.*Received: 1"),
        ([(1, 4, 4, 2), (1, 2, 2, 3)], r"as many concepts.*Received: \(2, 3\)"),
    ],
    ids=["one layer", "other concepts"],
)
def test_refuses_layers_that_cannot_teach(sizes, pattern):
    with pytest.raises(ValueError, match=rf"(?s)Expected.*{pattern}"):
        Consistency()([SupervisedLayer(np.zeros(size)) for size in sizes])


# In training.


def recorded(model, x):
    with score_tape() as records:
        model(x, training=False)
    return [as_float64(record.logits) for record in records]


@pytest.mark.parametrize("options", [EAGER, COMPILED], ids=str)
def test_is_a_term_in_training(x, label, options):
    model = scored(make_model(**options))
    logs = first(fit(model, x, label, [KnowledgeInjection(Consistency(), weights=3)]))
    grids = ReceptiveGrid((SIZE, SIZE)), ReceptiveGrid((8, 8), (0.5, 0.5), (2, 2))
    cells = [[grid.cells(axis, SIZE) for axis in (0, 1)] for grid in grids]
    pairs = zip(recorded(model, x), cells, strict=True)
    values = consistency(pairs).mean()
    assert values > 0.01
    assert_close(logs["consistency"], values, **ALLOWED)
    own = own_losses(model, x, label).mean()
    assert_close(logs["loss"], own + 3 * values, **ALLOWED)


class Listener(CrossLayerLoss):
    """A loss of a user's own, that remembers what it saw."""

    needs = ("mask",)

    def __init__(self):
        super().__init__()
        self.seen = []

    def call(self, layers):
        self.seen.append(layers)
        areas = [
            ops.mean(layer.knowledge["mask"] * layer.logits, axis=(1, 2, 3))
            for layer in layers
        ]
        return sum(areas)


@outlives_step
def test_a_loss_of_ones_own_sees_layers_where_they_lie(x, targets):
    model = compiled(
        keras.Sequential(
            [
                keras.Input((SIZE, SIZE, 1)),
                layers.Conv2D(4, 4, strides=2, dtype="mixed_float16"),
                LAPooling2D(2, dtype="mixed_float16"),
                layers.Conv2D(4, 2),
                GlobalLAPooling2D(concepts=CLASSES),
                layers.Dense(CLASSES, activation="softmax"),
            ]
        )
    )
    targets["valid"] = np.arange(SAMPLES) > 2
    loss = Listener()
    logs = first(fit(model, x, targets, [KnowledgeInjection([loss])]))
    ((shallow, deep),) = loss.seen
    assert keras.backend.standardize_dtype(shallow.logits.dtype) == "float32"
    assert shallow.knowledge["mask"].shape == (SAMPLES, 7, 7, 1)
    # Pixels of two, whose first is centred between those of index 1 and 2.
    np.testing.assert_array_equal(shallow.cells[0][:2] * SIZE, [[1, 3], [3, 5]])
    np.testing.assert_array_equal(deep.cells[1] * SIZE, [[3, 7], [7, 11]])
    values = ops.convert_to_numpy(loss.call([shallow, deep]))[3:]
    assert_close(logs["listener"], values.mean(), **ALLOWED)


class Twice(Subclassed):
    """Calls its layers once more, on images upside down."""

    def call(self, x):
        return (super().call(x) + super().call(ops.flip(x, axis=1))) / 2


@pytest.mark.torch_suffices
def test_each_call_of_the_layers_is_a_list_of_its_own(x, targets):
    loss = Listener()
    fit(compiled(Twice()), x, targets, [KnowledgeInjection([loss])])
    sizes = [[layer.logits.shape[1] for layer in layers] for layers in loss.seen]
    assert sizes == [[SIZE, SIZE // 2]] * 2


def test_consistency_of_one_chosen_layer_is_refused(x, label):
    injection = KnowledgeInjection(Consistency(), layers="head")
    with pytest.raises(ValueError, match="at least two LAP layers"):
        fit(make_model(), x, label, [injection])


def test_a_cross_layer_loss_without_call_says_what_is_missing():
    with pytest.raises(NotImplementedError, match="CrossLayerLoss must implement"):
        CrossLayerLoss()([])


class MaskOfTheDeepest(CrossLayerLoss):
    needs = ("mask",)

    def call(self, layers):
        deepest = layers[-1]
        mask = deepest.knowledge["mask"]
        return MaskSupervision()(deepest.logits, mask=mask)


@pytest.mark.torch_suffices
def test_the_deeper_layer_teaches_the_shallower(rng):
    """Masks are known to the deeper one alone, and found in the shallower."""
    x = rng.normal(scale=0.1, size=(16, SIZE, SIZE, 1)).astype("float32")
    mask = np.zeros((16, SIZE, SIZE))
    for inside in mask:
        top, left = 2 * rng.integers(0, SIZE // 2 - 2, size=2)
        inside[top : top + 4, left : left + 4] = 1
    x[..., 0] += mask
    y = {"label": np.zeros(16), "mask": mask}
    shares = []
    for weight in (0, 10):
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [
                keras.Input((SIZE, SIZE, 1)),
                layers.Conv2D(8, 3, padding="same", activation="relu"),
                LAPooling2D(2, gating=None),
                GlobalLAPooling2D(),
                layers.Dense(2, activation="softmax"),
            ]
        )
        model.compile(keras.optimizers.Adam(0.05), "sparse_categorical_crossentropy")
        terms = [MaskOfTheDeepest(), Consistency()]
        injection = KnowledgeInjection(terms, weights=[1, weight])
        fit_steps(model, x, y, 60, [injection])
        shallow, deep = (1 / (1 + np.exp(-z[..., 0])) for z in recorded(model, x))
        assert np.mean((deep > 0.5) == mask[:, ::2, ::2]) > 0.95
        shares.append(np.sum(shallow * mask) / np.sum(shallow))
    # The mask is a sixteenth of the image.
    assert shares[0] < 0.2
    assert shares[1] > 0.6
