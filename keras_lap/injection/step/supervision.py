"""The LAP layers of a model that are supervised, and what they are told."""

import contextlib
import dataclasses
import functools

import keras
from keras import ops

from keras_lap.graph.call_graph import Graph
from keras_lap.graph.data_format_of import data_format_of
from keras_lap.graph.find_layers import find_layers
from keras_lap.graph.functional_of import functional_of
from keras_lap.graph.lap_layers import lap_layers
from keras_lap.injection.knowledge import LayerKnowledge, default_class_concepts
from keras_lap.injection.losses.compiled_outputs import compiled_outputs
from keras_lap.injection.losses.supervised_layer import SupervisedLayer
from keras_lap.injection.places.layer_cells import layer_cells
from keras_lap.injection.step.check_not_recomputed import check_not_recomputed
from keras_lap.injection.step.forward_pass import ForwardPass
from keras_lap.injection.step.replaced import replaced
from keras_lap.injection.step.single_output import single_output
from keras_lap.layers import score_tape
from keras_lap.utils.class_concepts import class_concept_flags


class Supervision:
    """Brings what is known about a batch to the layers that it is for.

    Args:
        model: A `keras.Model`.
        names: Names or paths of the LAP layers to supervise, or `None` for all.
        class_concepts: As `standardize_class_concepts` returns it, or `None`.

    Attributes:
        model: As given.
        graph: Its `Graph`, or `None` without one.
        layers: List of the LAP layers.
        data_format: The layout of the images.
        outputs: What the model's outputs mean, as `compiled_outputs` returns it.

    Raises:
        ValueError: If the model has no such layers, they do not pool images, or they
            are called again for the gradient.
    """

    def __init__(self, model, names, class_concepts):
        self.model = model
        self.graph = None if functional_of(model) is None else Graph(model)
        pooling = lap_layers(model)
        self._own = {id(layer) for layer in pooling}
        self.layers = _choose_layers(model, names, pooling)
        check_not_recomputed(model, self.layers)
        self.data_format = data_format_of(model, self.graph)
        self.outputs = compiled_outputs(model)
        self._class_concepts = class_concepts
        self._walked = {}

    @property
    def most_concepts(self):
        """The most concepts that one of the layers has."""
        return max(layer.concepts for layer in self.layers)

    def forward_pass(self, records, inputs, predictions, knowledge, tape):
        """What a step has computed, with the knowledge fitted to it.

        Args:
            records: The `ScoreRecord`s of the step, in which other networks may have
                taken part.
            inputs: What the model was called on.
            predictions: What it gave.
            knowledge: A `Knowledge`.
            tape: The `InputTape` of the step, or `None`.

        Returns:
            A `ForwardPass`.

        Raises:
            ValueError: If the step has not called the layers.
        """
        records = [record for record in records if id(record.layer) in self._own]
        with score_tape(), _readable(self.model):
            # Following the model may call layers on placeholders.
            cells = layer_cells(
                self.model, inputs, self.data_format, records, self._walked
            )
        # What it works out belongs to the graph of this pass, and to no other.
        knowledge = dataclasses.replace(knowledge)
        calls, met, guesses = [], [], []
        for record, (places, guessed) in zip(records, cells, strict=True):
            layer = record.layer
            if layer not in self.layers:
                continue
            if not calls or layer in met:
                calls, met = [*calls, []], []
            met.append(layer)
            known = LayerKnowledge(
                knowledge,
                places,
                layer.concepts,
                functools.partial(self._matrix, layer, predictions),
            )
            calls[-1].append(SupervisedLayer(record.logits, places, known))
            guesses.append(guessed)
        if not calls:
            names = [layer.name for layer in self.layers]
            raise ValueError(
                "Expected the model to call its LAP layers in its forward pass. "
                f"Received no scores from any of {names}."
            )
        return ForwardPass(
            calls,
            guesses,
            self.model,
            inputs,
            self.data_format,
            predictions,
            knowledge,
            tape,
        )

    def _matrix(self, layer, predictions):
        """Which class has which concept of a layer, `(classes, K)`."""
        given, count = self._class_concepts, layer.concepts
        classes = single_output(predictions).shape[-1]
        if given is None:
            return default_class_concepts(classes, count)
        if count == 1:
            given = _has_any(given)
        of = f"layer {layer.name!r} (or leave that out of `layers`)"
        flags = class_concept_flags(given, classes, count, of)
        return flags.astype("float32")


def _has_any(class_concepts):
    """Which class has any concept, `(classes, 1)`, of checked class concepts."""
    if class_concepts.ndim == 1:
        class_concepts = class_concepts[:, None] >= 0
    return class_concepts.any(axis=1, keepdims=True)


@contextlib.contextmanager
def _readable(model):
    """Lets layers be called on placeholders.

    On JAX the values of their variables are elsewhere during a step, and Keras makes
    new ones as it did the first.
    """
    with contextlib.ExitStack() as stack:
        if keras.config.backend() == "jax":
            for variable in model.variables:
                stack.enter_context(replaced(variable, _initializer=ops.zeros))
        yield


def _choose_layers(model, names, pooling):
    found = [layer for layer in pooling if layer.head is not None]
    if not found and not model.built:
        raise ValueError(
            "Expected a model whose LAP layers are there before the training begins: "
            f"build it first, by calling it on a batch. Received: {model.name!r}, "
            "which is not built and has no LAP layers that score concepts"
        )
    if not found:
        scoreless = [layer.name for layer in pooling]
        received = f"LAP layers that score none: {scoreless}" if scoreless else "none"
        raise ValueError(
            "Expected a model with LAP layers that score concepts: make one with "
            "`keras_lap.convert(model)`, or use `keras_lap.LAPooling2D` layers. "
            f"Received: {model.name!r} with {received}"
        )
    if names is not None:
        found = find_layers(model, names, found)
    others = {layer.name: layer.rank for layer in found if layer.rank != 2}
    if others:
        raise ValueError(
            "Expected LAP layers that pool images, with two spatial axes: name "
            "those to supervise in `layers`. Received layers with other numbers "
            f"of axes: {others}"
        )
    return found
