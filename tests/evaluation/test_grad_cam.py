import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_lap.evaluation.explainers import GradCAM

CLASSES = 4
IMAGES = np.random.default_rng(0).random((5, 16, 12, 3)).astype("float32")
LABELS = np.array([2, 0, 3, 2, 1])

pytestmark = pytest.mark.usefixtures("eager")


@pytest.fixture(autouse=True)
def fixed_weights():
    keras.utils.set_random_seed(7)


def small_network(activation="softmax", scale=1.0):
    """A network with a shortcut around its target layer, "features"."""
    inputs = keras.Input((16, 12, 3))
    x = keras.layers.Conv2D(6, 3, padding="same", name="stem")(inputs)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.ReLU(name="relu")(x)
    x = keras.layers.MaxPooling2D(name="pool")(x)
    features = keras.layers.Conv2D(5, 3, activation="tanh", name="features")(x)
    x = keras.layers.Cropping2D(1, name="crop")(x)
    x = keras.layers.Concatenate(name="join")([x, features])
    x = keras.layers.Conv2D(7, 3, activation="relu", name="late")(x)
    x = keras.layers.GlobalAveragePooling2D(name="gap")(x)
    x = keras.layers.Dropout(0.5, name="dropout")(x)
    outputs = keras.layers.Dense(CLASSES, activation=activation, name="head")(x)
    model = keras.Model(inputs, outputs)
    head = model.get_layer("head")
    head.kernel.assign(head.kernel * scale)
    norm = model.get_layer("norm")
    norm.moving_mean.assign(np.linspace(-0.2, 0.2, 6))
    norm.moving_variance.assign(np.linspace(0.2, 0.9, 6))
    return model


def grad_cam(model, images, classes, layer_name=None, **options):
    return GradCAM(layer_name, **options).explain(model, images, classes)


def paper_grad_cam(model, layer_name, images, classes):
    """Grad-CAM of `small_network` from its definition, layer by layer."""
    layer = model.get_layer
    with tf.GradientTape() as tape:
        x = layer("pool")(layer("relu")(layer("norm")(layer("stem")(images))))
        values = {"pool": x}
        if layer_name == "pool":
            tape.watch(x)
        values["features"] = layer("features")(x)
        x = tf.concat([x[:, 1:-1, 1:-1], values["features"]], axis=-1)
        values["late"] = layer("late")(x)
        x = tf.reduce_mean(values["late"], axis=(1, 2))
        logits = x @ layer("head").kernel + layer("head").bias
        score = tf.gather(logits, classes, batch_dims=1)
    features = values[layer_name]
    weights = tf.reduce_mean(tape.gradient(score, features), axis=(1, 2), keepdims=True)
    maps = tf.nn.relu(tf.reduce_sum(weights * features, axis=-1, keepdims=True))
    return tf.image.resize(maps, images.shape[1:3], method="bilinear")[..., 0].numpy()


def assert_same_maps(actual, expected):
    assert actual.dtype == np.float32
    assert expected.max() > 0
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5 * expected.max())


@pytest.mark.parametrize("layer_name", ["pool", "features", "late"])
def test_is_the_method_of_the_paper(layer_name):
    model = small_network()
    expected = paper_grad_cam(model, layer_name, IMAGES, LABELS)
    assert_same_maps(grad_cam(model, IMAGES, LABELS, layer_name), expected)


def test_weighted_sum_by_hand():
    """For global average pooling the weights are those of the classifier."""
    inputs = keras.Input((4, 4, 2))
    x = keras.layers.Activation("linear", name="features")(inputs)
    x = keras.layers.GlobalAveragePooling2D()(x)
    head = keras.layers.Dense(2, activation="softmax")
    model = keras.Model(inputs, head(x))
    head.set_weights([np.array([[1.0, -3.0], [-2.0, 5.0]]), np.zeros(2)])
    images = np.random.default_rng(1).random((3, 4, 4, 2))
    actual = grad_cam(model, images, [0, 1, 1], "features")
    weighted = [
        images[0] @ [1.0, -2.0],
        images[1] @ [-3.0, 5.0],
        images[2] @ [-3.0, 5.0],
    ]
    assert_same_maps(actual, np.maximum(weighted, 0) / 16)


def test_is_that_of_tf_explain_after_a_relu():
    from tf_explain.core.grad_cam import GradCAM as Theirs

    model = small_network(activation=None)
    features, gradients = Theirs.get_gradients_and_filters(
        model, IMAGES, "late", class_index=3, use_guided_grads=False
    )
    maps = tf.nn.relu(Theirs.generate_ponderated_output(features, gradients))
    expected = tf.image.resize(maps[..., None], (16, 12))[..., 0].numpy()
    assert_same_maps(grad_cam(model, IMAGES, 3, "late"), expected)


def test_layer_that_gives_what_it_is_given():
    """What others read of the same tensor does not pass through the layer."""
    inputs = keras.Input((4, 4, 2))
    dropped = keras.layers.Dropout(0.5, name="dropped")(inputs)
    x = keras.layers.Add()([dropped, 3 * inputs])
    head = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")
    model = keras.Model(inputs, head(keras.layers.GlobalAveragePooling2D()(x)))
    images = IMAGES[:, :4, :4, :2]
    actual = grad_cam(model, images, 1, "dropped")
    assert_same_maps(actual, images.sum(axis=-1) / 16)


def test_default_layer_is_the_last_of_rank_4():
    model = small_network()
    assert_same_maps(
        grad_cam(model, IMAGES, LABELS), grad_cam(model, IMAGES, LABELS, "late")
    )


def test_default_layer_has_more_than_one_pixel():
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, activation="relu", name="features")(inputs)
    x = keras.layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = keras.layers.Conv2D(4, 1, activation="relu")(x)
    model = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(x)))
    images = IMAGES[:, :8, :8]
    assert_same_maps(
        grad_cam(model, images, [0, 1, 2, 0, 1]),
        grad_cam(model, images, [0, 1, 2, 0, 1], "features"),
    )


@pytest.mark.parametrize(
    "ending",
    [
        *("Activation", "Softmax", "keywords", "ops", "sigmoid", "none"),
        *("function of ops", "function of TensorFlow", "layer as a function"),
    ],
)
@pytest.mark.one_in(3)
def test_score_is_the_one_before_the_squashing(ending):
    reference = small_network()
    activation = {
        "sigmoid": "sigmoid",
        "function of ops": keras.ops.softmax,
        "function of TensorFlow": tf.nn.softmax,
        "layer as a function": keras.layers.Softmax(),
    }.get(ending)
    plain = small_network(activation)
    plain.set_weights(reference.get_weights())
    x = plain.output
    if ending == "Activation":
        x = keras.layers.Activation("softmax", dtype="float32")(x)
    elif ending == "Softmax":
        x = keras.layers.Softmax()(x)
    elif ending == "keywords":
        x = keras.layers.Softmax()(mask=keras.ops.ones_like(x, "bool"), inputs=x)
    elif ending == "ops":
        x = keras.ops.softmax(x)
    expected = paper_grad_cam(reference, "features", IMAGES, LABELS)
    model = keras.Model(plain.inputs, x)
    assert_same_maps(grad_cam(model, IMAGES, LABELS, "features"), expected)


def test_sure_softmax_does_not_silence_the_map():
    model = small_network(scale=1e5)
    probabilities = model(IMAGES).numpy()
    assert set(np.unique(probabilities)) == {0, 1}
    classes = probabilities.argmax(axis=-1)
    actual = grad_cam(model, IMAGES, classes, "pool")
    assert_same_maps(actual, paper_grad_cam(model, "pool", IMAGES, classes))
    assert (actual.max(axis=(1, 2)) > 0).all()


@pytest.mark.parametrize("layer_name", ["features", None])
def test_sequential(layer_name):
    """For global average pooling the map is that of CAM."""
    body = [
        keras.Input((16, 12, 3)),
        keras.layers.Conv2D(6, 3, activation="relu"),
        keras.layers.MaxPooling2D(),
        keras.layers.Conv2D(5, 3, name="features"),
    ]
    head = keras.layers.Dense(CLASSES, activation="softmax")
    model = keras.Sequential([*body, keras.layers.GlobalAveragePooling2D(), head])
    features = keras.Sequential(body)(IMAGES).numpy()
    weights = head.kernel.numpy().T[LABELS] / features[0, ..., 0].size
    coarse = np.maximum(np.einsum("nhwc,nc->nhw", features, weights), 0)
    expected = tf.image.resize(coarse[..., None], (16, 12))[..., 0].numpy()
    assert_same_maps(grad_cam(model, IMAGES, LABELS, layer_name), expected)


@pytest.mark.parametrize(
    "layer_name, plain_name",
    [
        ("features", "features"),
        ("outer/inner/features", "features"),
        ("outer/inner", "late"),
        ("outer", "late"),
        (None, "late"),
    ],
)
def test_nested_models(layer_name, plain_name):
    flat = small_network()
    late = flat.get_layer("late").output
    inner = keras.Model(flat.inputs, late, name="inner")
    outer = keras.Sequential([keras.Input((16, 12, 3)), inner], name="outer")
    inputs = keras.Input((16, 12, 3))
    x = keras.layers.Rescaling(1 / 2)(inputs * 2.0)
    x = outer(x, training=False)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, flat.get_layer("head")(x))
    expected = paper_grad_cam(flat, plain_name, IMAGES, LABELS)
    assert_same_maps(grad_cam(model, IMAGES, LABELS, layer_name), expected)


def test_classifier_nested_behind_preprocessing():
    flat = small_network()
    inputs = keras.Input((16, 12, 3), dtype="uint8")
    model = keras.Model(inputs, flat(inputs))
    images = (IMAGES * 255).astype("uint8")
    expected = paper_grad_cam(flat, "features", images.astype("float32"), LABELS)
    assert_same_maps(grad_cam(model, images, LABELS, "features"), expected)


def test_layer_called_twice_is_taken_at_its_last_call():
    conv = keras.layers.Conv2D(3, 3, padding="same", activation="tanh", name="twice")
    inputs = keras.Input((16, 12, 3))
    last = keras.layers.Activation("linear", name="last")(conv(conv(inputs)))
    outputs = keras.layers.Dense(CLASSES)(keras.layers.GlobalMaxPooling2D()(last))
    model = keras.Model(inputs, outputs)
    assert_same_maps(
        grad_cam(model, IMAGES, LABELS, "twice"),
        grad_cam(model, IMAGES, LABELS, "last"),
    )


class NegativeInTraining(keras.layers.Layer):
    def call(self, inputs, training=False):
        return -inputs if training else inputs


def test_nested_model_called_in_training_mode_runs_as_in_predict():
    x = keras.Input((16, 12, 3))
    body = keras.Model(x, NegativeInTraining(name="negative")(x), name="body")
    inputs = keras.Input((16, 12, 3))
    x = keras.layers.GlobalAveragePooling2D()(body(inputs, training=True))
    head = keras.layers.Dense(CLASSES, activation="softmax")
    model = keras.Model(inputs, head(x))
    weights = head.kernel.numpy().T[LABELS]
    expected = np.maximum(np.einsum("nhwc,nc->nhw", IMAGES, weights), 0) / (16 * 12)
    assert_same_maps(grad_cam(model, IMAGES, LABELS), expected)
    assert_same_maps(grad_cam(model, IMAGES, LABELS, "body/negative"), expected)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(policy):
    reference = small_network()
    expected = paper_grad_cam(reference, "late", IMAGES, LABELS)
    keras.config.set_dtype_policy(policy)
    try:
        model = small_network()
    finally:
        keras.config.set_dtype_policy("float32")
    model.set_weights(reference.get_weights())
    actual = grad_cam(model, IMAGES, LABELS, "late")
    tolerance = {"mixed_float16": 4e-3, "mixed_bfloat16": 3e-2}[policy]
    np.testing.assert_allclose(actual, expected, atol=tolerance * expected.max())


def test_channels_first():
    def network(data_format, shape):
        options = {"data_format": data_format}
        return keras.Sequential(
            [
                keras.Input(shape),
                keras.layers.Conv2D(5, 3, activation="relu", **options),
                keras.layers.GlobalMaxPooling2D(**options),
                keras.layers.Dense(CLASSES, activation="softmax"),
            ]
        )

    last = network("channels_last", (16, 12, 3))
    first = network("channels_first", (3, 16, 12))
    first.set_weights(last.get_weights())
    actual = grad_cam(
        first, IMAGES.transpose(0, 3, 1, 2), LABELS, data_format="channels_first"
    )
    assert_same_maps(actual, grad_cam(last, IMAGES, LABELS))


def test_given_model_is_not_changed():
    model = small_network()

    def state():
        links = [
            (layer.name, len(layer._inbound_nodes), len(layer._outbound_nodes))
            for layer in model.layers
        ]
        return links, model.to_json(), model(IMAGES).numpy().tolist()

    before = state()
    weights = model.get_weights()
    grad_cam(model, IMAGES, LABELS, "features")
    assert state() == before
    for after, expected in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(after, expected)
    assert model.get_layer("head").activation is keras.activations.softmax


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"layer_name": "feature"}, r"Received: 'feature'.*'features'"),
        ({"layer_name": "qqqq"}, r"The names are \['stem'.*'late'\]"),
        ({"layer_name": "gap"}, "rank-4 output"),
        ({"classes": -1}, r"Received: \[-1\]"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        grad_cam(small_network(), IMAGES, **{"classes": LABELS} | arguments)


def test_ambiguous_layer_name():
    def branch(name):
        inputs = keras.Input((16, 12, 3))
        outputs = keras.layers.Conv2D(2, 3, name="conv")(inputs)
        return keras.Model(inputs, outputs, name=name)

    inputs = keras.Input((16, 12, 3))
    x = keras.layers.Add()([branch("left")(inputs), branch("right")(inputs)])
    outputs = keras.layers.Dense(CLASSES)(keras.layers.Flatten()(x))
    with pytest.raises(ValueError, match=r"\['left/conv', 'right/conv'\]"):
        grad_cam(keras.Model(inputs, outputs), IMAGES, LABELS, "conv")


def subclassed_model():
    class Subclassed(keras.Model):
        def call(self, inputs):
            return inputs

    return Subclassed()


class NegatedFunctional(keras.Model):
    """Has a graph that is not what it computes."""

    def call(self, inputs, training=None, mask=None):
        return -super().call(inputs, training=training, mask=mask)


def functional_with_its_own_call():
    plain = small_network()
    return NegatedFunctional(plain.input, plain.output)


def two_outputs():
    inputs = keras.Input((16, 12, 3))
    x = keras.layers.Flatten()(inputs)
    return keras.Model(inputs, [keras.layers.Dense(2)(x), keras.layers.Dense(2)(x)])


def unbuilt_sequential():
    return keras.Sequential([keras.layers.Conv2D(2, 3), keras.layers.Flatten()])


@pytest.mark.parametrize(
    "make",
    [
        subclassed_model,
        functional_with_its_own_call,
        two_outputs,
        unbuilt_sequential,
    ],
)
def test_model_of_another_kind(make):
    with pytest.raises(ValueError, match="Expected a built Functional or Sequential"):
        grad_cam(make(), IMAGES, LABELS)


def test_nested_functional_with_its_own_call_is_called():
    plain = small_network()
    late = plain.get_layer("late").output
    inputs = keras.Input((16, 12, 3))
    x = NegatedFunctional(plain.input, late, name="body")(inputs)
    x = keras.layers.GlobalAveragePooling2D()(x)
    head = keras.layers.Dense(CLASSES)
    model = keras.Model(inputs, head(x))
    features = -keras.Model(plain.input, late)(IMAGES).numpy()
    weights = head.kernel.numpy().T[LABELS] / features[0, ..., 0].size
    coarse = np.maximum(np.einsum("nhwc,nc->nhw", features, weights), 0)
    expected = tf.image.resize(coarse[..., None], (16, 12))[..., 0].numpy()
    assert_same_maps(grad_cam(model, IMAGES, LABELS), expected)
    with pytest.raises(ValueError, match="rank-4 output"):
        grad_cam(model, IMAGES, LABELS, "late")


def test_model_that_is_no_classifier():
    inputs = keras.Input((16, 12, 3))
    model = keras.Model(inputs, keras.layers.Conv2D(2, 3)(inputs))
    with pytest.raises(ValueError, match=r"output of shape \(N, classes\)"):
        grad_cam(model, IMAGES, LABELS)


def test_model_without_features():
    model = keras.Sequential(
        [keras.Input((16, 12, 3)), keras.layers.Flatten(), keras.layers.Dense(4)]
    )
    with pytest.raises(ValueError, match="more than one pixel"):
        grad_cam(model, IMAGES, LABELS)


def test_scores_that_do_not_depend_on_the_layer():
    inputs = keras.Input((16, 12, 3))
    x = keras.layers.Conv2D(2, 3, name="cut")(inputs)
    x = keras.layers.Flatten()(keras.ops.stop_gradient(x))
    model = keras.Model(inputs, keras.layers.Dense(CLASSES)(x))
    with pytest.raises(ValueError, match="without a gradient"):
        grad_cam(model, IMAGES, LABELS, "cut")
