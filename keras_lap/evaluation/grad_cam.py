import difflib
import itertools
import warnings

import keras
import numpy as np

from keras_lap.layers.model_graph import graph_of


def grad_cam(
    model: keras.Model,
    images,
    class_indices,
    layer_name: str | None = None,
    batch_size: int = 32,
    data_format: str | None = None,
) -> np.ndarray:
    r"""Grad-CAM maps of a classifier, computed by tf-explain.

    With the features $A$ of one layer ($Z$ pixels, channels $c$) and the score $s$ of
    the asked class, the map is

    $$ \mathrm{ReLU}\Big(\sum_c \Big(\frac{1}{Z} \sum_p
       \frac{\partial s}{\partial A_{pc}}\Big) A_{pc}\Big) $$

    resized bilinearly to the size of the images. The score is the one **before** the
    softmax, as the paper has it: behind a softmax that is sure of its answer the
    gradient vanishes. If the model ends in a softmax or a sigmoid, as a layer, as an
    operation of `keras.ops` or as the `activation` of its last layer, it is taken off;
    any other output is taken as the score. tf-explain's own defaults, guided gradients
    and no ReLU, are not Grad-CAM and are not used.

    The model runs in inference mode and is not changed.

    Source: Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via
    Gradient-based Localization", ICCV 2017.

    Args:
        model: a built Functional or Sequential model with one image input and one
            output of shape `(N, classes)`, on the TensorFlow backend. Functional and
            Sequential models nested in it, at any depth, are looked into.
        images: array of shape `(N, H, W, C)`, or `(N, C, H, W)` with
            `"channels_first"`, in the range that the model expects.
        class_indices: int array of shape `(N,)`, the class that each map is for, or
            one int for all images.
        layer_name: name of the layer whose features are weighted. A layer in a nested
            model goes by its own name if that is unique, or by its path, such as
            `"backbone/conv5"`. Of a layer that is called several times the last call
            is taken. Defaults to `None`: the last layer with a rank-4 output of more
            than one pixel.
        batch_size: int, number of images per forward and backward pass. Defaults to
            `32`.
        data_format: `"channels_last"` or `"channels_first"`, the layout of the images
            and of the layer's features. Defaults to `None`:
            `keras.config.image_data_format()`.

    Returns:
        float32 array of shape `(N, H, W)` with raw maps of at least zero, each on a
        scale of its own. A map is zero everywhere if nothing speaks for the class.

    Raises:
        ImportError: If tf-explain or OpenCV is not installed.
        ValueError: If the model is of another kind, no layer or more than one has the
            given name, another argument does not fit, or the score does not depend
            on the layer.

    Example:
    >>> import keras
    >>> import numpy as np
    >>> from keras_lap.evaluation import grad_cam
    >>> model = keras.Sequential(
    ...     [
    ...         keras.Input((32, 32, 3)),
    ...         keras.layers.Conv2D(8, 3, activation="relu", name="features"),
    ...         keras.layers.GlobalAveragePooling2D(),
    ...         keras.layers.Dense(10, activation="softmax"),
    ...     ]
    ... )
    >>> images = np.random.default_rng(0).random((4, 32, 32, 3))
    >>> grad_cam(model, images, class_indices=[3, 1, 3, 0]).shape
    (4, 32, 32)
    """
    explainer = _tf_explain_grad_cam()
    data_format = (
        keras.config.image_data_format() if data_format is None else data_format
    )
    if data_format not in ("channels_last", "channels_first"):
        raise ValueError(
            'Expected data_format to be "channels_last" or "channels_first". '
            f"Received: {data_format=}"
        )
    if batch_size < 1:
        raise ValueError(
            f"Expected a batch size of at least 1. Received: {batch_size=}"
        )
    scorer, asked, marks = _scorer(model)
    mark = _find_mark(marks, layer_name, data_format)
    images = np.asarray(images)
    if images.ndim != 4:
        raise ValueError(
            "Expected images of rank 4, (N, H, W, C) or (N, C, H, W). "
            f"Received: images.shape={images.shape}. Give one image a batch axis with "
            "`images[None]`."
        )
    class_indices = _checked_classes(
        class_indices, len(images), model.outputs[0].shape[-1]
    )
    channels_first = data_format == "channels_first"
    size = images.shape[2:] if channels_first else images.shape[1:3]

    maps = np.zeros((len(images), *size), dtype=np.float32)
    for start in range(0, len(images), batch_size):
        batch = slice(start, start + batch_size)
        asked.classes = class_indices[batch]
        features, gradients = _features_and_gradients(
            explainer, scorer, images[batch], mark.name
        )
        if channels_first:
            features = keras.ops.moveaxis(features, 1, -1)
            gradients = keras.ops.moveaxis(gradients, 1, -1)
        coarse = explainer.generate_ponderated_output(features, gradients)
        coarse = keras.ops.relu(keras.ops.stack(coarse))
        maps[batch] = keras.ops.image.resize(
            coarse[..., None],
            size,
            interpolation="bilinear",
            data_format="channels_last",
        )[..., 0]
    return maps


def _tf_explain_grad_cam():
    try:
        from tf_explain.core.grad_cam import GradCAM
    except ImportError as error:
        raise ImportError(
            "grad_cam needs tf-explain and OpenCV. Install them with "
            '`pip install "keras-lap[evaluation]"`.'
        ) from error
    return GradCAM


class _Borrowed(keras.Operation):
    """Runs an operation of another model and leaves no trace in that model's graph."""

    def __init__(self, operation):
        super().__init__()
        self._operation = operation

    def call(self, *args, **kwargs):
        return self._operation(*args, **kwargs)

    def compute_output_spec(self, *args, **kwargs):
        return self._operation.compute_output_spec(*args, **kwargs)


class _AskedScore(keras.Operation):
    """Picks the score of the class that is asked for in each image of a batch.

    tf-explain takes one class for a whole batch. This makes it class 0 of one.
    """

    def __init__(self):
        super().__init__()
        self.classes = None

    def call(self, scores):
        return keras.ops.take_along_axis(scores, self.classes[:, None], axis=1)

    def compute_output_spec(self, scores):
        return keras.KerasTensor((scores.shape[0], 1), dtype=scores.dtype)


def _scorer(model):
    """Rebuilds a model without its nesting, with the score of one class as its output.

    Returns:
        The new model, which shares the weights of the given one and has no softmax or
        sigmoid at its end; its last operation, which is told the classes; and a dict
        from the path of each operation with a rank-4 output to the layer of the new
        model that has this output.
    """
    graph = graph_of(model)
    if graph is None or len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise ValueError(
            "Expected a built Functional or Sequential model with one input and one "
            f"output. Received: model={model}. Build a Sequential model with a "
            "`keras.Input` as its first layer; of a subclassed model, wrap the part "
            "that classifies in `keras.Model(inputs, outputs)`."
        )
    if len(model.outputs[0].shape) != 2:
        raise ValueError(
            "Expected a classifier with an output of shape (N, classes). "
            f"Received: output shape {model.outputs[0].shape}"
        )
    marks = {}
    numbers = itertools.count()
    origins = {}

    def replay(graph, inputs, prefix):
        def call(operation, *args, **kwargs):
            path = prefix + operation.name
            nested = graph_of(operation)
            if nested is not None and not kwargs.get("training"):
                outputs = keras.tree.flatten(replay(nested, args[0], f"{path}/"))
                outputs = outputs[0] if len(outputs) == 1 else outputs
            else:
                outputs = _Borrowed(operation)(*args, **kwargs)
                origins[id(outputs)] = operation, args, outputs
            if len(getattr(outputs, "shape", ())) == 4:
                # A layer called again moves to the end: `marks` is in calling order.
                marks.pop(path, None)
                marks[path] = keras.layers.Identity(
                    autocast=False, name=f"mark_{next(numbers)}"
                )
                outputs = marks[path](outputs)
            return outputs

        inputs = [
            x if x.dtype == expected.dtype else keras.ops.cast(x, expected.dtype)
            for x, expected in zip(
                keras.tree.flatten(inputs), graph.inputs, strict=True
            )
        ]
        # With lists of inputs and outputs, whatever the structure of the graph's own.
        flat = keras.Model(graph.inputs, graph.outputs)
        return flat._run_through_graph(inputs, call_fn=call)

    reference = graph.inputs[0]
    inputs = keras.Input(batch_shape=reference.shape, dtype=reference.dtype)
    (outputs,) = replay(graph, inputs, prefix="")
    if id(outputs) in origins:
        operation, args, _ = origins[id(outputs)]
        outputs = _without_squashing(operation, args, outputs)
    asked = _AskedScore()
    return keras.Model(inputs, asked(outputs)), asked, marks


def _without_squashing(operation, args, outputs):
    # The name is what the layers and the operations of `keras.ops` have in common.
    if type(operation).__name__ in ("Softmax", "Sigmoid"):
        return args[0]
    squashing = (keras.activations.softmax, keras.activations.sigmoid)
    if getattr(operation, "activation", None) not in squashing:
        return outputs
    linear = type(operation).from_config(
        operation.get_config() | {"activation": "linear"}
    )
    scores = linear(args[0])
    linear.set_weights(operation.get_weights())
    return scores


def _find_mark(marks, layer_name, data_format):
    if layer_name is None:
        pixels = slice(2, 4) if data_format == "channels_first" else slice(1, 3)
        for mark in reversed(marks.values()):
            if mark.output.shape[pixels] != (1, 1):
                return mark
        raise ValueError(
            "Expected a model with a layer that has a rank-4 output of more than one "
            f"pixel. Received: a model with these rank-4 outputs: {list(marks)}"
        )
    if layer_name in marks:
        return marks[layer_name]
    paths = [path for path in marks if path.rsplit("/", 1)[-1] == layer_name]
    if len(paths) == 1:
        return marks[paths[0]]
    if paths:
        raise ValueError(
            f"Expected the name of one layer. Received: {layer_name=}, which several "
            f"nested models have. Give the path of one of them: {paths}"
        )
    near = difflib.get_close_matches(layer_name, marks, n=5, cutoff=0.4)
    raise ValueError(
        "Expected the name of a layer with a rank-4 output. "
        f"Received: {layer_name=}. Near names are: {near or list(marks)[-5:]}"
    )


def _checked_classes(class_indices, count, classes):
    class_indices = np.asarray(class_indices)
    fits = class_indices.shape in ((), (count,))
    if class_indices.dtype.kind not in "iu" or not fits:
        raise ValueError(
            "Expected class_indices to be one int, or an int array with one class per "
            f"image, shape ({count},). Received: class_indices of dtype "
            f"{class_indices.dtype} and shape {class_indices.shape}. Turn one-hot "
            "labels or probabilities into indices with `argmax(axis=-1)`."
        )
    outside = (class_indices < 0) | (class_indices >= classes)
    if outside.any():
        raise ValueError(
            f"Expected class indices from 0 to {classes - 1}, the outputs of the "
            f"model. Received: {np.unique(class_indices[outside]).tolist()}"
        )
    return np.broadcast_to(class_indices, (count,))


def _features_and_gradients(explainer, scorer, images, name):
    with warnings.catch_warnings():
        # tf-explain wraps the model's inputs in one list too many.
        warnings.filterwarnings("ignore", message="The structure of `inputs`")
        features, gradients = explainer.get_gradients_and_filters(
            scorer, images, name, class_index=0, use_guided_grads=False
        )
    if gradients is None:
        raise ValueError(
            "Expected a layer that the class scores depend on. Received: a layer "
            "without a gradient. Choose another `layer_name`."
        )
    return keras.ops.cast(features, "float32"), keras.ops.cast(gradients, "float32")
