"""What explanations by gradients explain: scores from before the softmax."""

import difflib
import inspect
import itertools

import keras

from keras_lap.graph.functional_of import functional_of
from keras_lap.graph.inputs_given import inputs_given
from keras_lap.graph.squashing import has_squashing_activation, is_squashing
from keras_lap.utils.layout import height_and_width


class ScoreModel:
    """A model of the score that another gives to the class asked for in each image.

    It is the score **before** the softmax: behind a softmax that is sure of its answer
    every gradient vanishes. If the model ends in a softmax or a sigmoid, as a layer, as
    an operation of `keras.ops` or as the `activation` of its last layer, it is taken
    off; any other output is taken as the score. A single output `z` speaks for class 1
    of two, and the score of class 0 is `-z`.

    The model is rebuilt without its nesting. The new one reads the weights of the given
    one, as they are at each call. The given model is not changed.

    Args:
        model: A built Functional or Sequential model with one image input and one
            output of shape `(N, classes)`. Models nested in it, at any depth, are
            looked into.

    Attributes:
        of_all: The new model, from images to the scores of all classes, `(N, classes)`,
            in float32 or float64. It takes float images even where the given one takes
            integers, so that it has gradients.
        classes: Number of classes.
        variables: What both models read, those of the given one.

    Raises:
        ValueError: If the model is of another kind.

    Example:
    >>> import keras
    >>> import numpy as np
    >>> from keras_lap.evaluation.score_model import ScoreModel
    >>> model = keras.Sequential(
    ...     [keras.Input((2, 1, 1)), keras.layers.Flatten(), keras.layers.Softmax()]
    ... )
    >>> score = ScoreModel(model)
    >>> images = np.array([[3.0, 5.0], [7.0, 9.0]]).reshape(2, 2, 1, 1)
    >>> keras.ops.convert_to_numpy(score.of([1, 0])(images))
    array([[5.],
           [7.]], dtype=float32)
    """

    def __init__(self, model):
        functional = functional_of(model)
        if (
            functional is None
            or len(functional.inputs) != 1
            or len(functional.outputs) != 1
        ):
            raise ValueError(
                "Expected a built Functional or Sequential model with one input and "
                f"one output. Received: model={model}. Build a Sequential model with a "
                "`keras.Input` as its first layer; of a subclassed model, wrap the "
                "part that classifies in `keras.Model(inputs, outputs)`."
            )
        if len(model.outputs[0].shape) != 2:
            raise ValueError(
                "Expected a classifier with an output of shape (N, classes). "
                f"Received: output shape {model.outputs[0].shape}"
            )
        reference = functional.inputs[0]
        inputs = keras.Input(
            batch_shape=reference.shape,
            dtype=reference.dtype if _is_float(reference.dtype) else "float32",
        )
        replay = _Replay()
        (scores,) = replay(functional, inputs, prefix="")
        scores = replay.without_squashing(scores)
        precise = keras.backend.result_type(scores.dtype, "float32")
        scores = keras.ops.cast(scores, precise)
        if scores.shape[-1] == 1:
            scores = keras.ops.concatenate([-scores, scores], axis=-1)
        self._asked = _AskedScore()
        self._of_asked = keras.Model(inputs, self._asked(scores))
        self._marks = replay.marks
        self.of_all = keras.Model(inputs, scores)
        self.classes = scores.shape[-1]
        self.variables = model.variables

    def of(self, classes):
        """A model from images to scores `(N, 1)`, until it is asked for another batch.

        Args:
            classes: Int array of shape `(N,)`, the class of each image.
        """
        self._asked.classes = keras.ops.convert_to_tensor(classes, dtype="int32")
        return self._of_asked

    def features(self, layer_name, data_format):
        """The layer of the new models that has the output of one of the given model.

        Args:
            layer_name: Name of a layer with an output of rank 4, or its path, if it is
                in a nested model: `"backbone/conv5"`. Of a layer that is called several
                times the last call is taken. `None` for the last output of rank 4 of
                more than one pixel.
            data_format: `"channels_last"` or `"channels_first"`, of the features.

        Raises:
            ValueError: If no layer or more than one has the name.
        """
        marks = self._marks
        if layer_name is None:
            for mark in reversed(marks.values()):
                if height_and_width(mark.output.shape, data_format) != (1, 1):
                    return mark
            raise ValueError(
                "Expected a model with a layer that has a rank-4 output of more than "
                f"one pixel. Received: a model with these rank-4 outputs: {list(marks)}"
            )
        if layer_name in marks:
            return marks[layer_name]
        paths = [path for path in marks if path.rsplit("/", 1)[-1] == layer_name]
        if len(paths) == 1:
            return marks[paths[0]]
        if paths:
            raise ValueError(
                f"Expected the name of one layer. Received: {layer_name=}, which "
                f"several nested models have. Give the path of one of them: {paths}"
            )
        near = difflib.get_close_matches(layer_name, marks, n=5, cutoff=0.4)
        raise ValueError(
            "Expected the name of a layer with a rank-4 output. "
            f"Received: {layer_name=}. Near names are: {near or list(marks)[-5:]}"
        )

    def split(self, layer):
        """The new model up to a layer, and from there on.

        Args:
            layer: What `features` returns.

        Returns:
            A model from images to the layer's output, and one from a list of images
            and such outputs to the scores of all classes. The second takes from the
            images what goes around the layer.
        """
        (images,) = self.of_all.inputs
        (scores,) = self.of_all.outputs
        return (
            keras.Model(images, layer.output),
            keras.Model([images, layer.output], scores),
        )


def _is_float(dtype):
    return "float" in dtype


class _Borrowed(keras.Operation):
    """Runs an operation of another model and leaves no trace in that model's graph."""

    def __init__(self, operation):
        super().__init__()
        self._operation = operation

    def call(self, *args, **kwargs):
        return self._operation(*args, **kwargs)

    def compute_output_spec(self, *args, **kwargs):
        return self._operation.compute_output_spec(*args, **kwargs)


def _linear(layer):
    """An operation that runs a layer without its activation, on the layer's weights."""
    # Keras copies layers by their config, which tells nothing of the weights, and which
    # classes of a user's own need not have.
    twin = object.__new__(type(layer))
    twin.__dict__.update(layer.__dict__, activation=keras.activations.linear)
    return _Borrowed(twin)


class _Mark(keras.layers.Identity):
    """Passes a tensor on as another one, with a gradient of its own.

    What a layer gives may be the very tensor that it was given, which other layers read
    as well.
    """

    def call(self, inputs):
        return keras.ops.copy(inputs)


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


class _Replay:
    """Calls the operations of a graph, and of those nested in it, on new inputs.

    `marks` holds, by the paths of the operations with an output of rank 4, in the order
    of the calls, the layers of the new graph that have these outputs.
    """

    def __init__(self):
        self.marks = {}
        self._numbers = itertools.count()
        self._origins = {}

    def __call__(self, functional, inputs, prefix):
        """The flat list of the outputs of `functional`."""
        given = inputs_given(functional, inputs)
        pairs = zip(given, functional.inputs, strict=True)
        inputs = [_cast(x, expected.dtype) for x, expected in pairs]
        # With lists of inputs and outputs, whatever the structure of the graph's own.
        flat = keras.Model(functional.inputs, functional.outputs)
        return flat._run_through_graph(
            inputs,
            call_fn=lambda operation, *args, **kwargs: self._call(
                operation, prefix + operation.name, *args, **kwargs
            ),
        )

    def _call(self, operation, path, *args, **kwargs):
        nested = functional_of(operation)
        if nested is not None and not kwargs.get("training"):
            inputs = args[0] if args else kwargs["inputs"]
            outputs = keras.tree.flatten(self(nested, inputs, f"{path}/"))
            outputs = outputs[0] if len(outputs) == 1 else outputs
        else:
            outputs = _Borrowed(operation)(*args, **kwargs)
            given = _first_argument(operation, args, kwargs)
            self._origins[id(outputs)] = operation, given, outputs
        if len(getattr(outputs, "shape", ())) == 4:
            # A layer called again moves to the end: `marks` is in calling order.
            self.marks.pop(path, None)
            self.marks[path] = _Mark(autocast=False, name=f"mark_{next(self._numbers)}")
            outputs = self.marks[path](outputs)
        return outputs

    def without_squashing(self, outputs):
        """The outputs before the softmax or sigmoid that made them, if one did."""
        if id(outputs) not in self._origins:
            return outputs
        operation, squashed, _ = self._origins[id(outputs)]
        if is_squashing(operation):
            return squashed
        if has_squashing_activation(operation):
            return _linear(operation)(squashed)
        return outputs


def _first_argument(operation, args, kwargs):
    """What an operation is called with first, by the order of its parameters."""
    if args:
        return args[0]
    first = next(iter(inspect.signature(operation.call).parameters), None)
    return kwargs.get(first)


def _cast(x, dtype):
    if x.dtype == dtype or not _is_float(dtype):
        # An integer has no gradient; what follows takes a float of the same value.
        return x
    return keras.ops.cast(x, dtype)
