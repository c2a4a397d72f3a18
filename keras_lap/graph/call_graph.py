"""A read-only view of a model as one graph of layer calls, nested models included."""

import itertools
from dataclasses import dataclass
from typing import Any

import keras
from keras import tree

from keras_lap.graph.functional_of import functional_of
from keras_lap.graph.inputs_given import inputs_given


@dataclass(frozen=True, eq=False)
class Call:
    """One call of one operation.

    Attributes:
        model: The model, possibly nested, whose graph the call belongs to.
        operation: The layer or operation called.
        args: Positional arguments, symbolic tensors among them.
        kwargs: Keyword arguments, symbolic tensors among them.
        inputs: Flat list of the symbolic tensors it reads; for a nested model one for
            each of its inputs, in their order.
        outputs: Flat list of the symbolic tensors it returns.
        depth: Number of calls on the longest way here from the input.
    """

    model: Any
    operation: Any
    args: tuple
    kwargs: dict
    inputs: list
    outputs: list
    depth: int

    @property
    def options(self):
        """The keyword arguments that are no tensors, such as `training`."""
        return {
            name: value
            for name, value in self.kwargs.items()
            if not isinstance(value, keras.KerasTensor)
        }

    def make(self, tensors):
        """What the operation makes of other tensors than its inputs.

        Args:
            tensors: List of symbolic tensors, one for each of `inputs`.

        Returns:
            Flat list of symbolic tensors.
        """
        new = dict(zip(map(id, self.inputs), tensors, strict=True))
        args, kwargs = tree.map_structure(
            lambda value: new.get(id(value), value), (self.args, self.kwargs)
        )
        return tree.flatten(self.operation.compute_output_spec(*args, **kwargs))


class Graph:
    """All calls of a model and of the Functional and Sequential models inside it.

    Args:
        model: A model that has a graph, by `functional_of`. It is only read.
        instead: Dict from ids of symbolic tensors to layers of the same function that
            stand in for the layers whose first outputs these are.

    Attributes:
        model: The model itself.
        models: The model and those nested in it, outer ones first.
        calls: Every `Call`, by depth. A nested model called several times has its
            inner calls listed once.
    """

    def __init__(self, model, instead=None):
        self.model = model
        self._instead = instead or {}
        self._originals = {}
        self.models = []
        self._calls = {}
        self._spans = {}
        self._readers = {}
        self._producers = {}
        self._leads_to = {}
        self._paths = {}
        self._enter(model, 0, ())
        calls = [call for inner in self.models for call in self.calls_in(inner)]
        self.calls = sorted(calls, key=lambda call: call.depth)
        self._calls_of = {}
        for call in self.calls:
            self._calls_of.setdefault(id(call.operation), []).append(call)

    def calls_in(self, model):
        """The calls of one model's own graph, in an order in which they can run."""
        return self._calls[id(model)]

    def calls_of(self, operation):
        """The calls of one operation, in whichever models they are."""
        return self._calls_of[id(operation)]

    def path_of(self, operation):
        """The names of the nested models an operation is in, and its own.

        Where it is called at several places, the first one counts.
        """
        return self._paths[id(operation)]

    @property
    def operations(self):
        """All operations that are called, each once, but for nested models."""
        called = dict.fromkeys(call.operation for call in self.calls)
        return [operation for operation in called if not self.contains(operation)]

    @property
    def layers(self):
        """Those of the operations that are layers."""
        return [each for each in self.operations if isinstance(each, keras.Layer)]

    def contains(self, model):
        """Whether `model` is the model itself or one of those nested in it."""
        return id(model) in self._calls

    def original_of(self, operation):
        """What an operation stands in for: itself, if it is one of the model's own."""
        return self._originals.get(id(operation), operation)

    def readers(self, tensor):
        """The calls that read a tensor, in the tensor's own model."""
        return self._readers.get(id(tensor), [])

    def producer(self, tensor):
        """The call that returned a tensor, or `None` for an input of its model."""
        return self._producers.get(id(tensor))

    def is_output(self, tensor):
        """Whether a tensor is an output of the model it belongs to."""
        return any(tensor is end for model in self.models for end in model.outputs)

    def free_name(self, name):
        """`name`, with a number behind it if an operation of the graph has it."""
        taken = {call.operation.name for call in self.calls}
        for model in self.models:
            taken |= {tensor._keras_history.operation.name for tensor in model.inputs}
        numbered = (f"{name}_{number}" for number in itertools.count(1))
        return next(
            candidate
            for candidate in itertools.chain([name], numbered)
            if candidate not in taken
        )

    def downstream(self, tensor):
        """The calls whose result depends on a tensor, across nested models."""
        found, waiting, seen = {}, [tensor], set()
        while waiting:
            current = waiting.pop()
            if id(current) in seen:
                continue
            seen.add(id(current))
            found.update({id(call): call for call in self.readers(current)})
            waiting.extend(self._leads_to.get(id(current), []))
        return list(found.values())

    def carry(self, values, step):
        """Carries values through one forward pass.

        Nested models are entered, one that is called several times at each of its
        calls.

        Args:
            values: List of values, one for each of the model's inputs.
            step: Function of a `Call`, never that of a nested model, and of the list of
                the values of its `inputs`. Returns the list of those of its `outputs`.

        Returns:
            List of the values of the model's outputs.
        """
        return self._carry_through(self.model, values, step)

    def _carry_through(self, model, values, step):
        found = dict(zip(map(id, model.inputs), values, strict=True))
        for call in self.calls_in(model):
            read = [found[id(tensor)] for tensor in call.inputs]
            if self.contains(call.operation):
                made = self._carry_through(call.operation, read, step)
            else:
                made = step(call, read)
            found.update(zip(map(id, call.outputs), made, strict=True))
        return [found[id(tensor)] for tensor in model.outputs]

    def _enter(self, model, start, path):
        """Collects a model that is called at depth `start`; returns where it ends."""
        if self.contains(model):
            return start + self._spans[id(model)]
        self.models.append(model)
        own = self._calls[id(model)] = []
        depths = {id(tensor): start for tensor in model.inputs}
        for node in _nodes(model):
            operation = self._instead.get(id(node.outputs[0]), node.operation)
            self._originals[id(operation)] = node.operation
            arguments = node.arguments
            args, kwargs = arguments.args, arguments.kwargs
            inputs = _tensors_read(operation, args, kwargs)
            depth = max(depths[id(tensor)] for tensor in inputs)
            call = Call(model, operation, args, kwargs, inputs, node.outputs, depth)
            own.append(call)
            self._paths.setdefault(id(operation), (*path, operation.name))
            nested = functional_of(operation) is not None
            inside = self._paths[id(operation)]
            end = self._enter(operation, depth, inside) if nested else depth + 1
            depths.update({id(tensor): end for tensor in node.outputs})
            self._connect(call)
        end = max(depths[id(tensor)] for tensor in model.outputs)
        self._spans[id(model)] = end - start
        return end

    def _connect(self, call):
        nested = call.operation if self.contains(call.operation) else None
        for tensor in call.inputs:
            self._readers.setdefault(id(tensor), []).append(call)
            self._lead(tensor, nested.inputs if nested else call.outputs)
        for tensor in call.outputs:
            self._producers[id(tensor)] = call
        if nested:
            for inner, outer in zip(nested.outputs, call.outputs, strict=True):
                self._lead(inner, [outer])

    def _lead(self, tensor, tensors):
        self._leads_to.setdefault(id(tensor), []).extend(tensors)


def _nodes(model):
    """The nodes of a model's own graph, each after those it depends on."""
    by_depth = keras.Function(model.inputs, model.outputs)._nodes_by_depth
    return [
        node
        for height in sorted(by_depth, reverse=True)
        for node in by_depth[height]
        if not node.is_input
    ]


def _tensors_read(operation, args, kwargs):
    """The symbolic tensors that a call reads.

    Those of a model that has a graph come in the order of its inputs.
    """
    functional = functional_of(operation)
    read = args, kwargs
    if functional is not None:
        # Beside what it is given are at most masks of the same tensors.
        given = kwargs["inputs"] if "inputs" in kwargs else args[0]
        read = inputs_given(functional, given)
    return [each for each in tree.flatten(read) if isinstance(each, keras.KerasTensor)]
