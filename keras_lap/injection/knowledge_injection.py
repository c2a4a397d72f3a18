"""The callback that puts knowledge losses into the training step of `fit`."""

import math
import threading

import keras
import numpy as np
from keras import ops

from keras_lap.injection.knowledge import (
    default_class_concepts,
    layer_knowledge,
    split_targets,
)
from keras_lap.layers import score_tape
from keras_lap.surgery.lap_layers import lap_layers

_REPLACED = ("train_step", "test_step", "compute_loss")


class KnowledgeInjection(keras.callbacks.Callback):
    """Adds knowledge losses on LAP layers to the training of any compiled model.

    `model.fit(dataset, callbacks=[KnowledgeInjection([...])])` trains on batches
    `(x, y)` where `y` is the label as ever, or a dict with `"label"` and what else
    is known: `"mask"`, `(N, H, W)` or `(N, H, W, K)`, and `"valid"`, flags `(N,)`
    that say for which samples it is known. Pass the same callback to `evaluate` for
    a data set with such dicts. The compiled loss and metrics see the label alone.

    The training loss becomes

        loss + sum_i weights[i] * mean over layers of mean over samples of term_i

    where a sample for which the needed knowledge is missing counts as zero, and
    sample weights multiply. Every term is logged under its name, averaged over the
    samples that it applied to. When `fit` ends, or fails inside a step, the model's
    own training step is put back.

    Args:
        losses: List of `keras_lap.losses` objects.
        weights: List of factors, one per loss, or one for all.
        layers: Names of the LAP layers to supervise, or `None` for all.
        class_concepts: Array `(classes, K)` of zeros and ones that maps classes to
            concepts; by default one concept per class. Layers with a single concept
            take it as "whatever class there is".

    Raises:
        ValueError: If there are no losses, names repeat, the weights do not match, a
            layer is unknown, the model has no LAP layers, or the targets do not
            hold what the losses need.

    Example:

        injection = keras_lap.callbacks.KnowledgeInjection(
            [keras_lap.losses.Presence(), keras_lap.losses.MaskSupervision()],
            weights=[0.1, 1.0],
        )
        model.fit(dataset, epochs=5, callbacks=[injection])
    """

    def __init__(self, losses, weights=1.0, layers=None, class_concepts=None):
        super().__init__()
        self.losses = list(losses)
        names = [loss.name for loss in self.losses]
        if not names or len(set(names)) < len(names):
            raise ValueError(
                "Expected at least one loss, each with a name of its own (set it by "
                f"`name=`). Received losses named: {names}"
            )
        self.weights = np.broadcast_to(weights, (len(names),)).tolist()
        self.layers = layers
        self.class_concepts = class_concepts
        self._trackers = [keras.metrics.Mean(name=loss.name) for loss in self.losses]
        self._original = None
        self._fitting = False
        self._step = threading.local()

    def set_model(self, model):
        super().set_model(model)
        self._supervised = self._choose_layers(model)
        self._original = {name: getattr(model, name) for name in _REPLACED}
        model._metrics.extend(self._trackers)
        model.train_step = self._with_knowledge(model.train_step)
        model.test_step = self._with_knowledge(model.test_step)
        model.compute_loss = self._compute_loss
        model.make_train_function(force=True)
        model.make_test_function(force=True)
        model.train_function = self._restoring(model.train_function)
        model.test_function = self._restoring(model.test_function)

    def on_train_begin(self, logs=None):
        self._fitting = True

    def on_train_end(self, logs=None):
        self._restore()

    def on_test_end(self, logs=None):
        if not self._fitting:
            self._restore()

    def on_predict_end(self, logs=None):
        self._restore()

    def _choose_layers(self, model):
        """Maps each supervised layer to its matrix of classes and concepts."""
        found = {
            layer.name: layer for layer in lap_layers(model) if layer.head is not None
        }
        if not found:
            raise ValueError(
                "Expected a model with LAP layers that score concepts. Received "
                f"{model.name!r} without any: make one with "
                "`keras_lap.convert(model)`, or use `keras_lap.LAPooling2D` layers."
            )
        unknown = sorted(set(self.layers or ()) - set(found))
        if unknown:
            raise ValueError(
                f"Expected `layers` out of {sorted(found)}. Received: {unknown}"
            )
        classes = model.output_shape[-1]
        chosen = self.layers or found
        return {found[name]: self._matrix(found[name], classes) for name in chosen}

    def _matrix(self, layer, classes):
        if self.class_concepts is None or layer.concepts == 1:
            return default_class_concepts(classes, layer.concepts)
        matrix = np.asarray(self.class_concepts, "float32")
        if matrix.shape != (classes, layer.concepts):
            raise ValueError(
                "Expected `class_concepts` of one row per class and one column per "
                f"concept, ({classes}, {layer.concepts}) for layer {layer.name!r}. "
                f"Received shape: {matrix.shape}"
            )
        return matrix

    def _with_knowledge(self, step):
        """Hides from a step all of the targets but the label, and tapes the scores."""

        def step_with_knowledge(*arguments):
            *state, data = arguments
            x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
            knowledge = split_targets(y)
            with score_tape() as records:
                self._step.knowledge, self._step.records = knowledge, records
                data = keras.utils.pack_x_y_sample_weight(
                    x, knowledge.label, sample_weight
                )
                return step(*state, data)

        return step_with_knowledge

    def _compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, **training
    ):
        loss = self._original["compute_loss"](x, y, y_pred, sample_weight, **training)
        knowledge = self._step.knowledge
        knowledge.check_against(x)
        for term, weight, tracker in zip(
            self.losses, self.weights, self._trackers, strict=True
        ):
            missing = knowledge.missing(term.needs)
            if missing and training.get("training", True):
                raise ValueError(
                    f"Expected targets with {missing} for the loss {term.name!r}: "
                    'pass y as a dict such as {"label": ..., "mask": ...}. '
                    "Received targets without."
                )
            if missing:
                tracker.update_state(math.nan)
                continue
            values = self._evaluate(term, knowledge)
            counts = knowledge.counts(term.needs, sample_weight, values)
            tracker.update_state(values, sample_weight=counts)
            loss = loss + weight * ops.mean(values * counts)
        return loss

    def _evaluate(self, term, knowledge):
        """Mean of a term over the supervised layers, `(N,)`."""
        values = [
            term(
                record.logits,
                **layer_knowledge(
                    knowledge,
                    record.logits.shape,
                    self._supervised[record.layer],
                    term.needs,
                ),
            )
            for record in self._step.records
            if record.layer in self._supervised
        ]
        return sum(values) / len(values)

    def _restoring(self, function):
        """A step function that puts the model back when a step fails."""

        def run(*arguments):
            try:
                return function(*arguments)
            except BaseException:
                self._restore()
                raise

        return run

    def _restore(self):
        if self._original is None:
            return
        model = self.model
        for name in _REPLACED:
            delattr(model, name)
        for tracker in self._trackers:
            model._metrics.remove(tracker)
        model.train_function = model.test_function = None
        self._original = None
        self._fitting = False
