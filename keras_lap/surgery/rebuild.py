"""Builds a new model from the graph of a given one, with layers replaced."""

from dataclasses import dataclass
from typing import Any

import keras
from keras import tree
from keras.src.models.functional import Functional

from keras_lap.surgery.copies import copy_operation, copy_state


@dataclass(frozen=True, eq=False)
class Rebuilt:
    """A rebuilt model.

    Attributes:
        model: The new model.
        pairs: Pairs of a layer of the given model and its copy in the new one.
    """

    model: Any
    pairs: list

    def weight_pairs(self):
        """Pairs of a variable of the given model and its copy in the new one."""
        return [
            pair
            for layer, copy in self.pairs
            for pair in zip(layer.weights, copy.weights, strict=True)
        ]


def rebuild(graph, chains, absorbed=(), twins=(), fresh=()):
    """Copies a model, with chains of layers in the place of some of its layers.

    The copies have the weights and `trainable` flags of what they are copies of. Models
    with `fresh` layers inside are trainable even if the given ones are frozen; the
    layers that they have from there are then frozen one by one.

    Args:
        graph: The `Graph` of the model, which is only read.
        chains: Dict from ids of layers of the model to the new layers, nested models
            included, that are called one after another in their place; none at all
            hands on what the layer would have read.
        absorbed: Calls whose result is what they read, as the layer behind does their
            work.
        twins: Pairs of a layer of the model and a layer of `chains` that gets its
            weights and flags.
        fresh: Layers of `chains` that are trainable, whatever the model was.

    Returns:
        A `Rebuilt`.

    Raises:
        ValueError: If a layer cannot be copied by its config, if what takes the place
            of one gives another shape, or if two layers to be copied share a weight, as
            a layer and a `TimeDistributed` around it do.
    """
    copied = [
        layer
        for layer in graph.layers
        if id(layer) not in chains
        and any(call not in absorbed for call in graph.calls_of(layer))
    ]
    _check_weights_unshared([*copied, *(layer for layer, _ in twins)])
    rebuilder = _Rebuilder(graph, chains, absorbed, twins)
    model = rebuilder.model(graph.model)
    rebuilder.copy_state(fresh)
    return Rebuilt(model, rebuilder.pairs)


class _Rebuilder:
    def __init__(self, graph, chains, absorbed, twins):
        self.pairs = list(twins)
        self._graph = graph
        self._chains = dict(chains)
        self._replaced = set(chains)
        # Those of which a call is replaced, and so others have a copy of their own.
        self._parted = {
            id(graph.original_of(operation))
            for operation in graph.operations
            if id(operation) in chains
        }
        self._absorbed = {id(call) for call in absorbed}
        self._models = []

    def model(self, model):
        """A new model from a model of the graph."""
        build = self._functional
        if isinstance(model, keras.Sequential):
            build = self._sequential
        copy = build(model, [_copy_input(tensor) for tensor in model.inputs])
        # `compile` asks it whether to scale the loss.
        copy.dtype_policy = model.dtype_policy
        self._models.append((model, copy))
        return copy

    def copy_state(self, fresh):
        """Copies weights and trainable flags once everything is built."""
        frozen = not self._graph.model.trainable
        new = {id(layer) for layer in fresh}
        # A model passes its flag on to all inside it: inner models after outer ones,
        # and their layers last. A frozen one has no trainable weights, whatever is
        # inside it, so those with fresh layers stay trainable.
        for model, copy in reversed(self._models):
            parts = copy._flatten_layers()
            copy.trainable = model.trainable or any(id(part) in new for part in parts)
        for layer, copy in self.pairs:
            copy_state(layer, copy)
            if fresh and frozen:
                copy.trainable = False
        for layer in fresh:
            layer.trainable = True

    def _sequential(self, model, inputs):
        calls = self._graph.calls_in(model)
        chains = [self._chain(call) for call in calls]
        stack = [inputs[0], *(layer for chain in chains for layer in chain)]
        copy = _class_for(model, keras.Sequential)(stack, name=model.name)
        for call, chain in zip(calls, chains, strict=True):
            if chain:
                _check_shape(call, chain[-1]._inbound_nodes[-1].outputs[0])
        return copy

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
        if chain:
            _check_shape(call, x)
        return x

    def _is_rewritten(self, call):
        return id(call) in self._absorbed or id(call.operation) in self._replaced

    def _chain(self, call):
        """The new layers that do what `call` did."""
        if id(call) in self._absorbed:
            return []
        operation = call.operation
        original = self._graph.original_of(operation)
        if id(original) not in self._parted:
            # What stays is shared as it was.
            operation = original
        if id(operation) not in self._chains:
            self._chains[id(operation)] = [self._new(operation)]
        return self._chains[id(operation)]

    def _new(self, operation):
        if self._graph.contains(operation):
            return self.model(operation)
        copy = copy_operation(operation)
        if isinstance(operation, keras.Layer):
            self.pairs.append((operation, copy))
        return copy


def _check_shape(call, output):
    expected, received = call.outputs[0].shape, output.shape
    is_other = len(expected) != len(received) or any(
        None not in pair and pair[0] != pair[1]
        for pair in zip(expected, received, strict=True)
    )
    if is_other:
        raise ValueError(
            f"Expected what takes the place of {call.operation.name!r} to give maps "
            f"of its shape, {expected}. Received: {received}. Mend the windows, "
            "strides and padding that the rule for its kind gives them."
        )


def _check_weights_unshared(layers):
    owners = {}
    for layer in layers:
        for weight in layer.weights:
            owner = owners.setdefault(id(weight), layer)
            if owner is not layer:
                raise ValueError(
                    "Expected every weight to belong to one layer of the graph, as "
                    "copies of two have one each. Received: layers "
                    f"{owner.name!r} ({type(owner).__name__}) and {layer.name!r} "
                    f"({type(layer).__name__}), which share {weight.path!r}. Make a "
                    "model that calls the same of them in both places: a "
                    "`TimeDistributed` can read single maps, as a series of one."
                )


def _copy_input(tensor):
    return copy_operation(tensor._keras_history.operation).output


def _class_for(model, standard):
    """The class of `model` if its constructor is the standard one."""
    if type(model).__init__ is standard.__init__:
        return type(model)
    return standard
