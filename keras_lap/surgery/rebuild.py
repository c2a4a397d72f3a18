"""Builds a new model from the graph of a given one, with layers replaced."""

import keras
from keras import layers, tree
from keras.src.models.functional import Functional

from keras_lap.surgery.copies import copy_operation, copy_state
from keras_lap.surgery.rewrite import Lap, Zeros


def rebuild(graph, places, make_lap):
    """Copies a model, putting the chain of each place where its layer was.

    Args:
        graph: The `Graph` of the model, which is only read.
        places: List of `Place`.
        make_lap: Function from a `Lap` part to a new LAP layer.

    Returns:
        A new model with the weights of the old one.
    """
    rebuilder = _Rebuilder(graph, places, make_lap)
    model = rebuilder.model(graph.model)
    rebuilder.copy_state()
    return model


class _Rebuilder:
    def __init__(self, graph, places, make_lap):
        self._graph = graph
        self._make_lap = make_lap
        self._rewrites = {id(place.layer): place.rewrite for place in places}
        self._absorbed = {
            id(call) for place in places for call in place.rewrite.absorbs
        }
        self._chains = {}
        self._laps = {}
        self._copied_layers = []
        self._copied_models = []

    def model(self, model):
        """A new model from a model of the graph."""
        build = self._functional
        if isinstance(model, keras.Sequential):
            build = self._sequential
        copy = build(model, [_copy_input(tensor) for tensor in model.inputs])
        self._copied_models.append((model, copy))
        return copy

    def copy_state(self):
        """Copies weights and trainable flags once everything is built."""
        # A model passes its flag on to all inside it: inner models after outer ones,
        # and their layers last. The outermost one stays trainable, as a frozen one has
        # no trainable weights, whatever is inside it.
        for model, copy in reversed(self._copied_models[:-1]):
            copy.trainable = model.trainable
        for layer, copy in self._copied_layers:
            copy_state(layer, copy)
            if not self._graph.model.trainable:
                _freeze_weights(copy)
        # New weights have learned nothing yet that freezing could keep.
        for lap in self._laps.values():
            lap.trainable = True

    def _sequential(self, model, inputs):
        chains = [self._chain(call) for call in self._graph.calls_in(model)]
        stack = [inputs[0], *(layer for chain in chains for layer in chain)]
        return _class_for(model, keras.Sequential)(stack, name=model.name)

    def _functional(self, model, inputs):
        tensors = {id(old): new for old, new in zip(model.inputs, inputs, strict=True)}
        sampled = {}
        for call in self._graph.calls_in(model):
            result = self._run(call, tensors, sampled)
            for old, new in zip(call.outputs, tree.flatten(result), strict=True):
                tensors[id(old)] = new
        new_inputs, new_outputs = tree.map_structure(
            lambda tensor: tensors[id(tensor)], (model.input, model.output)
        )
        return _class_for(model, Functional)(new_inputs, new_outputs, name=model.name)

    def _run(self, call, tensors, sampled):
        def new(value):
            if isinstance(value, keras.KerasTensor):
                return tensors[id(value)]
            return value

        chain = self._chain(call)
        if not self._is_rewritten(call):
            args, kwargs = tree.map_structure(new, (call.args, call.kwargs))
            return chain[0](*args, **kwargs)
        x = new(call.inputs[0])
        for layer in chain:
            step = (id(layer), id(x))
            if step not in sampled:
                sampled[step] = layer(x, **call.options)
            x = sampled[step]
        return x

    def _is_rewritten(self, call):
        return id(call) in self._absorbed or id(call.operation) in self._rewrites

    def _chain(self, call):
        """The new layers that do what `call` did."""
        if id(call) in self._absorbed:
            return []
        operation = call.operation
        if id(operation) not in self._chains:
            self._chains[id(operation)] = self._new_chain(operation)
        return self._chains[id(operation)]

    def _new_chain(self, operation):
        if self._graph.contains(operation):
            return [self.model(operation)]
        if id(operation) in self._rewrites:
            chain = self._rewrites[id(operation)].chain
            return [self._part(part, operation) for part in chain]
        return [self._copy(operation)]

    def _part(self, part, layer):
        if isinstance(part, Lap):
            if id(part.source) not in self._laps:
                self._laps[id(part.source)] = self._make_lap(part)
            return self._laps[id(part.source)]
        if isinstance(part, Zeros):
            return layers.ZeroPadding2D(**part.config)
        return self._copy(layer, **part.changes)

    def _copy(self, operation, **changes):
        copy = copy_operation(operation, **changes)
        if isinstance(operation, keras.Layer):
            self._copied_layers.append((operation, copy))
        return copy


def _freeze_weights(layer):
    """Freezes every weight of a layer and leaves the layer's own flag as it is."""
    for weight in layer.weights:
        weight.trainable = False


def _copy_input(tensor):
    return copy_operation(tensor._keras_history.operation).output


def _class_for(model, standard):
    """The class of `model` if its constructor is the standard one."""
    if type(model).__init__ is standard.__init__:
        return type(model)
    return standard
