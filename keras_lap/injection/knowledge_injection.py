"""The callback that puts knowledge losses into the training step of `fit`."""

import contextlib
import functools
import threading
from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from keras_lap.injection.forward_pass import ForwardPass
from keras_lap.injection.input_tape import InputTape
from keras_lap.injection.knowledge import (
    FITTED,
    Knowledge,
    LayerKnowledge,
    default_class_concepts,
    even_cells,
    split_targets,
)
from keras_lap.injection.losses import (
    BaseLoss,
    FunctionLoss,
    InputGradientLoss,
    SupervisedLayer,
)
from keras_lap.injection.single_output import single_output
from keras_lap.injection.step_function import StepFunction
from keras_lap.injection.term_weight import TermWeight
from keras_lap.layers import score_tape
from keras_lap.layers.grid_walk import receptive_grids
from keras_lap.layers.model_graph import graph_of
from keras_lap.names import check_names, listed
from keras_lap.surgery.graph import Graph
from keras_lap.surgery.lap_layers import lap_layers

if keras.config.backend() == "tensorflow":
    import tensorflow as tf


class KnowledgeInjection(keras.callbacks.Callback):
    """Adds knowledge losses on LAP layers to the training of any compiled model.

    `model.fit(dataset, callbacks=[KnowledgeInjection([...])])` trains on batches
    `(x, y)` where `y` is the label as ever, or a dict with `"label"` and what else
    is known, for `K` concepts:

    - `"mask"`, `(N, H, W)` or `(N, H, W, K)`, of any resolution with the images'
      aspect ratio. Values below 0 count as 0 and those above 1 as 1, so masks of 0
      and 255 will do. Without a concept axis a mask belongs to the concepts that the
      label makes present.
    - `"boxes"`, `(N, M, 4)`: top, left, bottom, right as shares of the image, padded
      with -1 (`"rel_yxyx"` of `keras.utils.bounding_boxes`). What is outside of
      `[0, 1]` is cut off, and what has no area then is padding.
    - `"box_concepts"`, `(N, M)`: the number of each box's concept. Boxes without, or
      with -1, belong to the concepts that the label makes present.
    - `"concepts"`, `(N, K)`: image-level attributes; 1 present, 0 absent, -1 unknown.
    - `"area"`, `(N, K, 2)`: the least and the largest share of the image that a
      concept covers where it is present; -1 or NaN for an unknown bound.
    - `"valid"`: flags `(N,)` that say for which samples the knowledge is there, or a
      dict of such flags per kind. What is not valid is not read. A sample whose boxes
      are all padding, or whose attributes or areas are all unknown, needs no flag.

    The compiled loss and metrics see the label alone. Pass the same callback to
    `evaluate` for a data set with such dicts; an evaluation without it is that of the
    model alone.

    The training loss becomes

        loss + sum_i weights[i] * mean over layers of mean over samples of term_i

    (losses that are not on single layers say themselves what they are a mean over),
    where a sample for which the needed knowledge is missing counts as zero, and
    sample weights multiply. Every term is logged under its name, averaged over the
    samples that it applied to, or as NaN if there were none. Validation data
    without what a term needs leaves it out of the validation loss. Terms that are
    warming up have their full weights in validation, so that the validation loss of
    one epoch can be compared with that of another.

    Only the steps of this `fit` are changed: between them and after them the model is
    as it was, and after an error so is every `fit` and `evaluate` to come.

    A step that calls the model several times is supervised in each of the calls.

    Keras does not take `class_weight` along with a dict `y`; pass the weights as
    `sample_weight` instead.

    Args:
        losses: List of `keras_lap.losses` objects, or functions as `FunctionLoss`
            takes them.
        weights: List of factors, one per loss, or one for all.
        warmup: Number of epochs, possibly fractional, over which the weights grow in
            a line from 0, or a list with one per loss. They grow with every step, or,
            where `fit` does not know the number of steps beforehand, with every
            epoch. Epochs are counted as `fit` does, from its `initial_epoch`.
        layers: Name or list of names of the LAP layers to supervise, or `None` for
            all.
        class_concepts: Array `(classes, K)` of zeros and ones that maps classes to
            concepts; by default one concept per class. A layer with a single concept
            takes it as "whatever class there is", unless `K` is 1. A model with a
            single output has one class, which a label of 1 says is there.

    Raises:
        ValueError: If an argument is out of its range, the model has no LAP layers
            or none of the names in `layers`, the targets do not hold what the
            losses need or do not fit the images and layers, a loss has the name of
            one of the model's own logs, or another `KnowledgeInjection` takes part in
            the same `fit`.

    Example:

    >>> import keras, numpy as np, keras_lap
    >>> model = keras.Sequential(
    ...     [
    ...         keras.Input((8, 8, 1)),
    ...         keras_lap.GlobalLAPooling2D(concepts=2),
    ...         keras.layers.Dense(2, activation="softmax"),
    ...     ]
    ... )
    >>> model.compile("sgd", "sparse_categorical_crossentropy")
    >>> x, mask = np.zeros((4, 8, 8, 1)), np.zeros((4, 8, 8))
    >>> mask[:, 2:5, 3:6] = 1
    >>> y = {"label": np.array([0, 1, 0, 1]), "mask": mask}
    >>> injection = keras_lap.callbacks.KnowledgeInjection(
    ...     [keras_lap.losses.Presence(), keras_lap.losses.MaskSupervision()],
    ...     weights=[0.1, 1.0],
    ... )
    >>> history = model.fit(x, y, verbose=0, callbacks=[injection])
    >>> sorted(history.history)
    ['loss', 'mask_supervision', 'presence']
    """

    def __init__(
        self, losses, weights=1.0, warmup=0.0, layers=None, class_concepts=None
    ):
        super().__init__()
        self.losses = _standardize_losses(losses)
        self.weights = _one_per_loss("weights", weights, self.losses)
        self.warmup = _one_per_loss("warmup", warmup, self.losses)
        if not min(self.warmup) >= 0:
            raise ValueError(
                f"Expected `warmup` in epochs, 0 or more. Received: warmup={warmup!r}"
            )
        self.layers = _standardize_layers(layers)
        self.class_concepts = _standardize_class_concepts(class_concepts)
        self._trackers = [_Mean(name=loss.name) for loss in self.losses]
        self._weights = list(map(TermWeight, self.weights, self.warmup))
        self._functions = {}
        self._local = threading.local()

    def set_model(self, model):
        super().set_model(model)
        self._supervised = self._choose_layers(model)

    def on_epoch_begin(self, epoch, logs=None):
        self._reset()
        self._epoch = epoch
        self._warm_up(epoch)

    def on_test_begin(self, logs=None):
        self._reset()

    def on_train_batch_begin(self, batch, logs=None):
        steps = self.params.get("steps")
        if steps:
            self._warm_up(self._epoch + batch / steps)
        self._stand_in("train")

    def on_test_batch_begin(self, batch, logs=None):
        self._stand_in("test")

    def _reset(self):
        for tracker in self._trackers:
            tracker.reset_state()

    def _warm_up(self, epoch):
        for weight in self._weights:
            weight.grow_to(epoch)

    def _stand_in(self, kind):
        """Makes the next step of the model one with knowledge."""
        own = getattr(self.model, f"{kind}_function")
        if isinstance(own, StepFunction):
            own.make_way()
            if own is not self._functions.get(kind):
                raise ValueError(
                    "Expected one KnowledgeInjection at a time, with all losses in "
                    "its list. Received a model with another one at work."
                )
            own = own.own
        function = self._functions.get(kind)
        if function is None or function.own is not own:
            function = self._functions[kind] = StepFunction(
                self.model,
                kind,
                functools.partial(self._with_knowledge, kind == "train"),
                self._compute_loss,
            )
        function.stand_in()

    def _choose_layers(self, model):
        """The layers to supervise."""
        pooling = lap_layers(model)
        found = [layer for layer in pooling if layer.head is not None]
        if not found:
            names = [layer.name for layer in pooling]
            received = f"LAP layers that score none: {names}" if names else "none"
            raise ValueError(
                "Expected a model with LAP layers that score concepts: make one with "
                "`keras_lap.convert(model)`, or use `keras_lap.LAPooling2D` layers. "
                f"Received: {model.name!r} with {received}"
            )
        if self.layers is not None:
            names = [layer.name for layer in found]
            check_names("`layers` to be names of LAP layers", self.layers, names)
            found = [layer for layer in found if layer.name in self.layers]
        others = {layer.name: layer.rank for layer in found if layer.rank != 2}
        if others:
            raise ValueError(
                "Expected LAP layers that pool images, with two spatial axes: name "
                "those to supervise in `layers`. Received layers with other numbers "
                f"of axes: {others}"
            )
        return found

    def _with_knowledge(self, is_training, step):
        """Hides from a step all of the targets but the label, and tapes the scores."""

        def step_with_knowledge(data):
            x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
            if isinstance(sample_weight, dict):
                # What Keras makes of one array of weights for the targets of a dict.
                sample_weight = sample_weight["label"]
            knowledge = split_targets(y)
            data = keras.utils.pack_x_y_sample_weight(x, knowledge.label, sample_weight)
            if not self.model.built:
                # Building may call the layers on placeholders, which no tape must see.
                self.model(x)
            with score_tape() as records, self._input_tape(x) as tape:
                current = _Step(is_training, knowledge, records, tape)
                self._local.step = current
                try:
                    logs = step(data)
                finally:
                    self._local.step = None
            if not current.is_counted:
                raise ValueError(
                    "Expected a model whose steps call `compute_loss`, into which the "
                    f"knowledge goes. Received {self.model.name!r} of type "
                    f"{type(self.model).__name__} with steps that do not."
                )
            terms = {mean.name: mean.result() for mean in self._trackers}
            clashes = sorted(logs.keys() & terms.keys())
            if clashes:
                raise ValueError(
                    "Expected losses with other names than the model's own logs: set "
                    f"`name=` of the loss. Received losses named: {clashes}"
                )
            return {**logs, **terms}

        return step_with_knowledge

    def _input_tape(self, images):
        if not any(isinstance(loss, InputGradientLoss) for loss in self.losses):
            return contextlib.nullcontext()
        return InputTape(images, self._supervised[0].data_format)

    def _compute_loss(
        self, own, x=None, y=None, y_pred=None, sample_weight=None, **training
    ):
        """The model's own loss plus the weighted terms."""
        loss = own(x, y, y_pred, sample_weight, **training)
        step = self._local.step
        step.is_counted = True
        step.knowledge.check_against(x, self._supervised[0].data_format)
        forward = self._supervise(step, x, y_pred)
        for term, weight, tracker in zip(
            self.losses, self._weights, self._trackers, strict=True
        ):
            missing = step.knowledge.missing(term.needs)
            if missing and step.is_training:
                raise ValueError(
                    f"Expected targets with {missing} for the loss {term.name!r}: pass "
                    f'y as a dict such as {{"label": ..., "{missing}": ...}}. '
                    "Received targets without."
                )
            if missing:
                continue
            values = term.of_pass(forward)
            counts = step.knowledge.counts(term.needs, sample_weight, values)
            tracker.update_state(values, sample_weight=counts)
            factor = weight.current if step.is_training else weight.value
            loss = ops.add(loss, factor * _share_of_replica(ops.mean(values * counts)))
        return loss

    def _supervise(self, step, images, y_pred):
        """What the step has computed, with the knowledge fitted to it."""
        with score_tape():
            # Following the model may call layers on placeholders.
            cells = _cells(self.model, images, step.records)
        calls, met = [], []
        for record, places in zip(step.records, cells, strict=True):
            layer = record.layer
            if not any(layer is one for one in self._supervised):
                continue
            if not calls or any(layer is one for one in met):
                calls, met = [*calls, []], []
            met.append(layer)
            known = LayerKnowledge(
                step.knowledge,
                places,
                layer.concepts,
                functools.partial(self._matrix, layer, y_pred),
            )
            calls[-1].append(SupervisedLayer(record.logits, places, known))
        if not calls:
            names = [layer.name for layer in self._supervised]
            raise ValueError(
                "Expected the model to call its LAP layers in its forward pass. "
                f"Received no scores from any of {names}."
            )
        return ForwardPass(calls, y_pred, step.knowledge, step.tape)

    def _matrix(self, layer, y_pred):
        """Which class has which concept of a layer, `(classes, K)`."""
        matrix, classes = self.class_concepts, single_output(y_pred).shape[-1]
        if matrix is None or (layer.concepts == 1 != matrix.shape[1]):
            return default_class_concepts(classes, layer.concepts)
        if matrix.shape != (classes, layer.concepts):
            raise ValueError(
                "Expected `class_concepts` of one row per class and one column per "
                f"concept, ({classes}, {layer.concepts}) for layer {layer.name!r}. "
                f"Received shape: {matrix.shape}"
            )
        return matrix


@dataclass(eq=False)
class _Step:
    """What one step, running in one thread, knows and has recorded."""

    is_training: bool
    knowledge: Knowledge
    records: list
    tape: InputTape | None
    is_counted: bool = False


class _Mean(keras.metrics.Mean):
    """A mean that is NaN, not zero, where there was nothing to average."""

    def result(self):
        return ops.divide(self.total, self.count)


def _share_of_replica(mean):
    """What one replica adds to the loss, of which the sum over all is minimised."""
    if keras.config.backend() != "tensorflow":
        return mean
    return mean / tf.distribute.get_strategy().num_replicas_in_sync


def _cells(model, images, records):
    """Rows and columns of the image that the pixels of each layer stand for.

    Where sizes are not known before the data, the layers' maps are taken to extend
    over the image evenly.
    """
    maps = [tuple(ops.shape(record.attention)[1:3]) for record in records]
    data_format = records[0].layer.data_format if records else None
    image = _spatial_size(images, data_format)
    if image is None or not all(isinstance(side, int) for side in sum(maps, ())):
        return [even_cells(size) for size in maps]
    calls = [(record.layer, size) for record, size in zip(records, maps, strict=True)]
    passes = _count_passes(model, calls)
    calls = calls[: len(calls) // passes]
    cells = [
        [place.grid.cells(axis, side) for axis, side in enumerate(image)]
        for place in receptive_grids(model, image, calls, data_format=data_format)
    ]
    return cells * passes


def _count_passes(model, calls):
    """How often the model was called, if it was the same each time, otherwise 1."""
    layers = {id(layer) for layer, _ in calls}
    if len(layers) == len(calls) or graph_of(model) is None:
        return 1
    graph, unknown = Graph(model), False

    def count(inner):
        nonlocal unknown
        total = 0
        for call in graph.calls_in(inner):
            operation = call.operation
            if graph.contains(operation):
                total += count(operation)
            elif id(operation) in layers:
                total += 1
            elif isinstance(operation, keras.Layer):
                parts = operation._flatten_layers()
                unknown |= any(id(part) in layers for part in parts)
        return total

    length = count(model)
    # A layer with LAP layers inside may call them any number of times.
    if unknown or not length or len(calls) % length:
        return 1
    passes = len(calls) // length
    return passes if calls == calls[:length] * passes else 1


def _spatial_size(images, data_format):
    shape = tuple(getattr(images, "shape", ()))
    size = shape[2:] if data_format == "channels_first" else shape[1:3]
    return None if len(shape) != 4 or None in size else size


def _standardize_losses(losses):
    losses = list(losses) if isinstance(losses, list | tuple) else [losses]
    losses = [_standardize_loss(loss) for loss in losses]
    names = [loss.name for loss in losses]
    if not names or len(set(names)) < len(names):
        raise ValueError(
            "Expected at least one loss, each with a name of its own (set it by "
            f"`name=`). Received losses named: {names}"
        )
    return losses


def _standardize_loss(loss):
    if not isinstance(loss, BaseLoss):
        if isinstance(loss, type) or not callable(loss):
            raise ValueError(
                "Expected `losses` to be a list of `keras_lap.losses` objects or "
                f"functions. Received: {loss!r}"
            )
        loss = FunctionLoss(loss)
    if not {*loss.needs, *loss.accepts} <= set(FITTED):
        raise ValueError(
            f"Expected the loss {loss.name!r} to take knowledge out of {FITTED}. "
            f"Received: needs={loss.needs!r}, accepts={loss.accepts!r}"
        )
    return loss


def _one_per_loss(name, numbers, losses):
    count = len(losses)
    if np.shape(numbers) not in ((), (count,)):
        raise ValueError(
            f"Expected `{name}` to be one number or a list of {count}, one per loss. "
            f"Received: {name}={numbers!r}"
        )
    return np.broadcast_to(np.float64(numbers), count).tolist()


def _standardize_layers(layers):
    if layers is None:
        return None
    layers = listed(layers)
    if not layers:
        raise ValueError(
            "Expected `layers` to be a list of names of LAP layers, or None for all. "
            f"Received: layers={layers!r}"
        )
    return layers


def _standardize_class_concepts(class_concepts):
    if class_concepts is None:
        return None
    matrix = np.asarray(class_concepts, "float32")
    if matrix.ndim != 2 or not np.isin(matrix, (0, 1)).all():
        raise ValueError(
            "Expected `class_concepts` to be an array (classes, concepts) of zeros "
            f"and ones. Received: {class_concepts!r}"
        )
    return matrix
