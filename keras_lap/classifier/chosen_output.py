"""One of a model's outputs, by its name or index."""

import operator

from keras import tree

from keras_lap.graph.functional_of import functional_of
from keras_lap.utils.names import check_names
from keras_lap.utils.warn import warn


def chosen_output(model, outputs, output=None):
    """One of a model's outputs.

    Args:
        model: The model, or any function.
        outputs: What a call of it returned, or that its graph has for it: a tensor, or
            a dict of tensors, or lists of them, nested or not. Lists in a dict are
            known by its names and a number, such as `"z 0"`.
        output: Name or index of one of them, by default the first.

    Returns:
        The output.

    Raises:
        ValueError: If there is no such output.
    """
    named = _named(model, outputs)
    whose = repr(getattr(model, "name", "the model"))
    index = 0 if output is None else output
    if isinstance(index, str):
        check_names(f"`output` to be one of {whose}", [index], named)
        return named[index]
    try:
        place = None if isinstance(index, bool) else operator.index(index)
    except TypeError:
        place = None
    if place not in range(-len(named), len(named)):
        raise ValueError(
            f"Expected `output` to be an index from 0 to {len(named) - 1}, of the "
            f"outputs of {whose}, or a name. Received: output={output!r}"
        )
    return [*named.values()][place]


def output_index(model, output=None):
    """The index of one of a model's outputs among all tensors that its graph gives.

    Args:
        model: A `keras.Model`.
        output: Name or index of one of them, by default the first.

    Returns:
        The index in the graph's `outputs`; `None` if there is no graph.

    Raises:
        ValueError: If there is no such output.
    """
    functional = functional_of(model)
    if functional is None:
        return None
    chosen = chosen_output(model, functional.output, output)
    return next(at for at, each in enumerate(functional.outputs) if each is chosen)


def warn_of_first_output(model, outputs, output=None):
    """Warns if a model has several outputs and none of them is chosen.

    Args:
        model: As for `chosen_output`, as are the others.
        outputs: What a call of it returned, or that its graph has for it.
        output: Name or index of one of them, or `None`.
    """
    names = list(_named(model, outputs))
    if output is None and len(names) > 1:
        warn(
            f"The model has several outputs, {names}, and its predictions are taken to "
            f"be the first, {names[0]!r}. In Python, `output={names[1]!r}` chooses "
            f"another, and `output={names[0]!r}` keeps it and silences this warning."
        )


def _named(model, outputs):
    """Outputs by their names, in the order of the model."""
    if isinstance(outputs, dict):
        functional = functional_of(model)
        # Compiled by JAX, a function returns dicts sorted.
        names = outputs if functional is None else functional.output
        return {
            part_name: part
            for name in names
            for part_name, part in _numbered(name, outputs[name]).items()
        }
    numbered = _numbered("output", outputs)
    names = getattr(model, "output_names", None) or ()
    if len(set(names)) != len(numbered):
        return numbered
    return dict(zip(names, numbered.values(), strict=True))


def _numbered(name, output):
    """The tensors of a nested output by its name and their numbers, or one by name."""
    if not tree.is_nested(output):
        return {name: output}
    return {f"{name} {i}": part for i, part in enumerate(tree.flatten(output))}
