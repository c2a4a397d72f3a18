"""What all metrics of faithfulness have in common."""

import keras
import numpy as np
import pytest
from faithfulness_oracles import SaturatingModel

from keras_lap.evaluation import (
    Predictor,
    average_drop,
    average_gain,
    deletion,
    increase_in_confidence,
    insertion,
    mu_fidelity,
    road,
)

pytestmark = pytest.mark.torch_suffices

ALL = [average_drop, average_gain, increase_in_confidence]
ALL += [deletion, insertion, mu_fidelity, road]


@pytest.fixture(params=ALL, ids=lambda metric: metric.__name__)
def metric(request):
    if request.param is road:
        pytest.importorskip("scipy", reason="scipy is not installed")
    return request.param


@pytest.fixture
def model(rng):
    return SaturatingModel(rng, size=(10, 10), channels=3)


@pytest.fixture
def images(rng):
    return rng.random((5, 10, 10, 3))


@pytest.fixture
def maps(rng):
    """With ties, of which the seed decides."""
    return rng.integers(-3, 4, (5, 10, 10)).astype("float32")


TARGETS = np.array([0, 1, 0, 1, 0])


def test_values_do_not_depend_on_the_batch_size(metric, model, images, maps):
    expected = metric(model, images, maps, TARGETS)
    assert expected.values.shape == (5,) and np.isfinite(expected.values).all()
    for batch_size in (1, 7, 1000):
        result = metric(model, images, maps, TARGETS, batch_size=batch_size)
        np.testing.assert_array_equal(result.values, expected.values)
        if expected.curve is not None:
            np.testing.assert_array_equal(result.curve.y, expected.curve.y)


def test_no_more_than_a_batch_at_a_time(metric, model, images, maps):
    sizes = set()

    def predict(images):
        sizes.add(images.shape)
        return model(images)

    metric(predict, images, maps, TARGETS, batch_size=3)
    assert sizes == {(3, 10, 10, 3)}


def test_inputs_are_not_changed(metric, model, images, maps):
    before = images.copy(), maps.copy()
    metric(model, images, maps, TARGETS)
    np.testing.assert_array_equal(images, before[0])
    np.testing.assert_array_equal(maps, before[1])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float16", "float32"])
@pytest.mark.one_in(4)
def test_dtypes(metric, model, images, maps, dtype):
    """The model gets floats; gray values in between are not cut off."""
    images = (250 * images).astype(dtype)
    dtypes = set()

    def predict(images):
        dtypes.add(images.dtype.name)
        return model(images / 250)

    result = metric(predict, images, maps, TARGETS)
    exact = metric(lambda x: model(x / 250), images.astype("float64"), maps, TARGETS)
    assert dtypes == {"float64" if dtype == "int32" else "float32"}
    np.testing.assert_allclose(result.values, exact.values, rtol=0, atol=1e-4)


def test_gray_images(metric, rng):
    model = SaturatingModel(rng, size=(10, 10))
    images = rng.random((2, 10, 10, 1))
    assert metric(model, images, model.attribution(images), 0).counted == 2


def test_predictor(metric, model, images, maps):
    predictor = Predictor(lambda x: {"other": 0 * x, "class": model(x)}, output="class")
    np.testing.assert_array_equal(
        metric(predictor, images, maps, TARGETS).values,
        metric(model, images, maps, TARGETS).values,
    )


def test_keras_model(rng):
    """Deletion on a network is deletion on what the network computes."""
    model = keras.Sequential(
        [
            keras.Input((10, 10, 3)),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.GlobalMaxPooling2D(),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    images = rng.random((5, 10, 10, 3)).astype("float32")

    def predict(images):
        return keras.ops.convert_to_numpy(model(images, training=False))

    maps = images.mean(axis=-1)
    results = [deletion(f, images, maps, TARGETS) for f in (model, predict)]
    np.testing.assert_allclose(*(r.curve.y for r in results), rtol=0, atol=1e-6)
    assert np.ptp(results[0].curve.y, axis=1).min() > 0.01


def test_boolean_maps(metric, model, images, maps):
    np.testing.assert_array_equal(
        metric(model, images, maps > 0, TARGETS).values,
        metric(model, images, (maps > 0).astype(float), TARGETS).values,
    )


@pytest.mark.parametrize(
    "change, message",
    [
        ({"images": np.ones((10, 10, 3))}, r"images of shape \(N, H, W, C\)"),
        ({"images": np.ones((0, 10, 10, 3))}, "not empty"),
        ({"images": np.ones((5, 10, 10, 3), dtype=complex)}, "integers or floats"),
        ({"images": np.full((5, 10, 10, 3), np.nan)}, "finite images.*in 5 of 5"),
        ({"maps": np.ones((5, 10, 9))}, r"maps of shape \(5, 10, 10\)"),
        ({"maps": np.ones((4, 10, 10))}, r"maps of shape \(5, 10, 10\)"),
        ({"maps": np.ones((5, 10, 10, 3))}, "pick one per image"),
        ({"maps": np.full((5, 10, 10), np.inf)}, "finite maps.*first at index 0"),
        ({"targets": np.eye(5)}, r"shape \(5,\).*argmax"),
        ({"targets": np.zeros(5)}, r"one class per image, shape \(5,\)"),
        ({"targets": np.zeros(4, dtype=int)}, r"one class per image, shape \(5,\)"),
        ({"targets": 2}, r"targets from 0 to 1.*Received: \[2\]"),
        ({"targets": -1}, r"targets from 0 to 1.*Received: \[-1\]"),
        ({"predict": lambda images: images.mean((1, 2)) * 9}, "softmax"),
        ({"batch_size": 0}, "`batch_size` to be a positive integer"),
    ],
)
def test_bad_arguments(metric, model, images, maps, change, message):
    given = {"predict": model, "images": images, "maps": maps, "targets": TARGETS}
    with pytest.raises(ValueError, match=f"(?s)Expected.*{message}"):
        metric(**given | change)
