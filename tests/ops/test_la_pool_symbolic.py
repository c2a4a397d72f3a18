"""`la_pool` as a node of a Functional model."""

import keras
import numpy as np
import pytest
from tolerances import assert_close, tolerance

from keras_lap import la_pool
from keras_lap.ops.arguments import standardize_window
from keras_lap.ops.reference import la_pool_reference

pytestmark = pytest.mark.jax_too

WINDOWS = [
    {"pool_size": 2},
    {"pool_size": (3, 2), "strides": 2, "padding": "same"},
    {"pool_size": 3, "strides": 2, "padding": ((1, 0), (1, 1))},
    {"pool_size": None},
]


def pooled_model(shape, **arguments):
    """A model that scores pixels by a convolution and pools them by the function."""
    x = keras.Input(shape)
    axis = 1 if arguments.get("data_format") == "channels_first" else -1
    scores = keras.ops.sigmoid(keras.ops.mean(x, axis=axis, keepdims=True))
    return keras.Model(x, la_pool(x, scores, 2.0, **arguments))


def sizes(data_format, spatial):
    return (3, *spatial) if data_format == "channels_first" else (*spatial, 3)


@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("spatial", [(7, 5), (None, None)])
def test_shape_and_values_are_those_of_the_eager_call(
    rng, window, data_format, spatial
):
    arguments = {**window, "data_format": data_format, "base": "max", "base_gate": 0.5}
    model = pooled_model(sizes(data_format, spatial), **arguments)
    x = rng.normal(size=(2, *sizes(data_format, (7, 5)))).astype("float32")
    axis = 1 if data_format == "channels_first" else -1
    scores = keras.ops.sigmoid(np.mean(x, axis=axis, keepdims=True))
    y = la_pool(x, scores, 2.0, **arguments)
    assert_close(model(x), y, **tolerance("float32", 35, np.abs(x).max()))
    for expected, inferred in zip(y.shape, model.output_shape, strict=True):
        assert inferred in (None, expected)
    assert (None in model.output_shape[1:]) == (
        None in spatial and window["pool_size"] is not None
    )


@pytest.mark.parametrize(
    "window",
    [{"pool_size": (7, 5)}, {"pool_size": (7, 5), "strides": 9, "padding": "same"}],
    ids=str,
)
def test_the_reference_pools_a_whole_map_at_once(window):
    def operations(**window):
        x, scores = keras.Input((7, 5, 3)), keras.Input((7, 5, 1))
        window = standardize_window((None, 7, 5, 3), **window)
        options = ("gaussian", "score", "avg", 0.5)
        y = la_pool_reference(x, scores, 2.0, *window, *options)
        kinds = [type(each) for each in keras.Model([x, scores], y).operations]
        return kinds, y.shape

    whole = {"pool_size": None, "strides": None, "padding": "valid"}
    at_once = operations(**whole)
    assert operations(**{**whole, **window}) == at_once
    in_part = operations(**{**whole, "pool_size": (6, 5)})
    assert len(in_part[0]) > 3 * len(at_once[0])


@pytest.mark.parametrize("padding", ["valid", np.array([[0, 1], [1, 0]])], ids=str)
def test_saves_and_loads(rng, tmp_path, padding):
    window = {"pool_size": np.int64(2), "padding": padding}
    model = pooled_model((6, 6, 3), **window, weighting="softmax", gating=None)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    x = rng.normal(size=(2, 6, 6, 3)).astype("float32")
    np.testing.assert_array_equal(
        *map(keras.ops.convert_to_numpy, (model(x), loaded(x)))
    )


@pytest.mark.parametrize(
    "channels, arguments, expected",
    [
        (2, {"pool_size": 2}, "divide the number of channels"),
        (1, {"pool_size": 9}, "every window to fit"),
        (1, {"pool_size": 2, "padding": "full"}, "`padding` to be"),
        (1, {"pool_size": 2, "base": "max"}, "to be given together"),
    ],
)
def test_refuses_before_the_model_is_built(channels, arguments, expected):
    x, scores = keras.Input((6, 6, 3)), keras.Input((6, 6, channels))
    with pytest.raises(ValueError, match=expected):
        la_pool(x, scores, 2.0, **arguments)


def test_refuses_an_unknown_number_of_channels():
    with pytest.raises(ValueError, match=r"None and 1. Give `keras.Input` the number"):
        la_pool(keras.Input((8, 8, None)), keras.Input((8, 8, 1)), 2.0, 2)
