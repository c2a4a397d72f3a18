import keras
import numpy as np
import pytest
from keras import ops

from keras_lap import GlobalLAPooling2D
from keras_lap.evaluation import Predictor


def two_classes(images):
    bright = images.mean(axis=(1, 2, 3))
    return np.stack([1 - bright, bright], axis=1)


@pytest.fixture
def images(rng):
    return rng.random((5, 4, 6, 3))


class Recorder:
    def __init__(self):
        self.batches = []

    def __call__(self, images):
        self.batches.append(images)
        return two_classes(images)


def test_predict_of_a_model_is_the_model(images, capsys):
    model = keras.Sequential(
        [keras.Input((4, 6, 3)), keras.layers.Flatten(), keras.layers.Softmax()]
    )
    given = Predictor(model.predict)(images)
    np.testing.assert_array_equal(given, Predictor(model)(images))
    assert capsys.readouterr().out == ""


def integers_model(dtype):
    inputs = keras.Input((1, 1, 2), dtype=dtype)
    shares = keras.layers.Rescaling(1 / 255)(inputs)
    return keras.Model(inputs, keras.layers.Flatten()(shares))


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_integers_of_32_bits_do_not_overflow():
    predict = Predictor(integers_model("int32"))
    given = []
    predict._predict = lambda batch: given.append(batch) or np.zeros((1, 2))
    predict(np.array([[[[3, 255]]]], "uint8"), batch_size=1)
    predict(np.array([[[[3e9, -3e9]]]], "float32"), batch_size=1)
    np.testing.assert_array_equal(given[0].ravel(), [3, 255])
    np.testing.assert_array_equal(given[1].ravel(), [2**31 - 1, -(2**31)])


def test_integers_are_rounded_and_not_cut_off():
    model = integers_model("uint8")
    images = np.array([[-0.7, 0.4], [50.6, 254.9], [300, 1.5]]).reshape(3, 1, 1, 2)
    expected = np.array([[0, 0], [51, 255], [255, 2]]) / 255
    np.testing.assert_allclose(Predictor(model)(images), expected, rtol=1e-6)


@pytest.fixture(scope="module")
def model():
    """A model with dropout, which counts how often it is traced."""

    class Counted(keras.layers.Layer):
        traces = 0

        def call(self, x):
            type(self).traces += 1
            return x

    inputs = keras.Input((4, 6, 3))
    counted = Counted()
    x = keras.layers.Flatten()(counted(inputs))
    x = keras.layers.Dropout(0.5)(x)
    first = keras.layers.Dense(3, activation="softmax", name="kind")(x)
    second = keras.layers.Dense(2, activation="sigmoid", name="tags")(x)
    Counted.traces = 0
    return keras.Model(inputs, [first, second]), Counted


class TestFunction:
    def test_probabilities_are_float64(self, images):
        probabilities = Predictor(two_classes)(images.astype("float32"))
        assert probabilities.dtype == np.float64
        np.testing.assert_allclose(
            probabilities, two_classes(images), rtol=0, atol=2**-22
        )

    @pytest.mark.parametrize("batch_size", [1, 2, 5, 32])
    def test_batches_are_of_one_size(self, images, batch_size):
        recorder = Recorder()
        np.testing.assert_array_equal(
            Predictor(recorder)(images, batch_size), two_classes(images)
        )
        assert {len(batch) for batch in recorder.batches} == {batch_size}

    def test_one_batch_in_memory_at_a_time(self, images):
        taken = []

        def source():
            for image in images:
                taken.append(len(taken))
                yield image

        rows = Predictor(two_classes).rows(source(), batch_size=2)
        next(rows)
        assert len(taken) == 2

    def test_an_array_that_changes_may_be_given_again(self):
        def growing():
            image = np.zeros((2, 2, 1))
            for _ in range(3):
                yield image
                image += 0.25

        rows = Predictor(two_classes).rows(growing(), batch_size=3)
        np.testing.assert_array_equal([row[1] for row in rows], [0, 0.25, 0.5])

    def test_tensors(self, images):
        def predict(images):
            return ops.convert_to_tensor(two_classes(images), dtype="float32")

        np.testing.assert_allclose(
            Predictor(predict)(images), two_classes(images), rtol=0, atol=2**-24
        )

    def test_channels_first(self, images):
        recorder = Recorder()
        Predictor(recorder, data_format="channels_first")(images, batch_size=5)
        np.testing.assert_array_equal(recorder.batches[0], images.transpose(0, 3, 1, 2))

    def test_rounding_beyond_one_is_cut(self, images):
        rows = Predictor(lambda images: np.full((len(images), 1), 1 + 1e-6))(images)
        np.testing.assert_array_equal(rows, [[0, 1]] * 5)

    def test_single_column_speaks_for_class_1(self, images):
        rows = Predictor(lambda images: two_classes(images)[:, 1:])(images)
        np.testing.assert_allclose(rows, two_classes(images), rtol=0, atol=2**-53)

    @pytest.mark.parametrize("value", [1.01, -0.01, 7])
    def test_logits_are_refused(self, images, value):
        def predict(images):
            return np.array([[0.5, 0.5]] * (len(images) - 1) + [[0.5, value]])

        with pytest.raises(ValueError, match=r"between 0 and 1\. Received: .*softmax"):
            Predictor(predict)(images)

    def test_nan_is_not_taken_for_logits(self, images):
        with pytest.raises(ValueError, match=r"Received: NaN\. Look at the weights"):
            Predictor(lambda images: two_classes(images) * np.nan)(images)

    @pytest.mark.parametrize("shape", [(5,), (5, 2, 2), (4, 2)])
    def test_other_shapes_are_refused(self, images, shape):
        with pytest.raises(ValueError, match=r"shape \(B, classes\)"):
            Predictor(lambda images: np.zeros(shape))(images, batch_size=5)

    def test_no_function(self):
        with pytest.raises(TypeError, match=r"keras\.Model, or a function"):
            Predictor(np.zeros((2, 2)))

    @pytest.mark.parametrize("batch_size", [0, -1, 2.0])
    def test_bad_batch_size(self, images, batch_size):
        with pytest.raises(ValueError, match="`batch_size` to be a positive integer"):
            Predictor(two_classes)(images, batch_size)

    def test_no_images(self, images):
        with pytest.raises(ValueError, match="at least one image"):
            Predictor(two_classes)(images[:0])

    def test_bad_layout(self):
        with pytest.raises(ValueError, match="`data_format` to be one of"):
            Predictor(two_classes, data_format="NCHW")

    @pytest.mark.parametrize(
        "outputs, chosen",
        [
            (lambda p: {"junk": 5 * p, "class": p}, "class"),
            (lambda p: [5 * p, p], 1),
            (lambda p: (p, 5 * p), None),
        ],
    )
    def test_outputs(self, images, outputs, chosen):
        predictor = Predictor(lambda x: outputs(two_classes(x)), output=chosen)
        np.testing.assert_array_equal(predictor(images), two_classes(images))

    def test_unknown_outputs(self, images):
        predictor = Predictor(lambda x: {"classes": two_classes(x)}, output="clases")
        with pytest.raises(ValueError, match=r"Did you mean \['classes'\]"):
            predictor(images)
        with pytest.raises(ValueError, match="index from 0 to 0, of the"):
            Predictor(two_classes, output=1)(images)


class TestModel:
    def test_inference_mode_and_first_output(self, model, images):
        model, _ = model
        expected = ops.convert_to_numpy(model(images, training=False)[0])
        np.testing.assert_allclose(
            Predictor(model)(images, batch_size=2), expected, rtol=0, atol=2**-22
        )

    @pytest.mark.parametrize("output", ["tags", 1])
    def test_output(self, model, images, output):
        model, _ = model
        expected = ops.convert_to_numpy(model(images, training=False)[1])
        np.testing.assert_allclose(
            Predictor(model, output=output)(images, batch_size=2),
            expected,
            rtol=0,
            atol=2**-22,
        )

    def test_layout_of_lap_layers(self, images):
        """An explanation's images are channels last, whatever its model takes."""
        lap = GlobalLAPooling2D(data_format="channels_first")
        stack = [keras.Input((3, 4, 6)), lap, keras.layers.Softmax()]
        model = keras.Sequential(stack)
        expected = ops.convert_to_numpy(model(images.transpose(0, 3, 1, 2)))
        rows = Predictor(model)(images, batch_size=2)
        np.testing.assert_allclose(rows, expected, rtol=0, atol=2**-22)

    def test_unknown_output(self, model, images):
        with pytest.raises(ValueError, match=r"Did you mean \['tags'\]"):
            Predictor(model[0], output="tag")(images)

    @pytest.mark.skipif(
        keras.backend.backend() == "torch", reason="torch calls a model, untraced"
    )
    def test_odd_batches_are_not_traced(self, model, images):
        model, counted = model
        predictor = Predictor(model)
        predictor(images[:3], batch_size=3)
        before = counted.traces
        for count in (1, 2, 4, 5):
            predictor(images[:count], batch_size=3)
        assert counted.traces == before


def test_logits_that_look_like_probabilities_are_refused(images):
    network = keras.Sequential(
        [keras.Input((4, 6, 3)), keras.layers.Flatten(), keras.layers.Dense(1)]
    )
    network.layers[-1].set_weights([np.zeros((72, 1)), np.array([0.3])])
    with pytest.raises(ValueError, match=r"without activation.*logits, end"):
        Predictor(network)(images)


def test_probabilities_beside_logits_in_a_dict(images):
    x = inputs = keras.Input((4, 6, 3))
    x = keras.layers.Flatten()(x)
    both = {
        "z": keras.layers.Dense(1, "sigmoid", name="p")(x),
        "a": keras.layers.Dense(2, name="q")(x),
    }
    network = keras.Model(inputs, both)
    shares = ops.convert_to_numpy(network(images)["z"])
    found = Predictor(network, "z")(images)
    np.testing.assert_allclose(found[:, 1:], shares, rtol=1e-6)
