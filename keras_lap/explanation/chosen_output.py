"""One of a model's outputs, by its name or index."""

import operator

from keras import tree

from keras_lap.layers.model_graph import graph_of
from keras_lap.names import check_names


def chosen_output(model, outputs, output=None):
    """One of a model's outputs.

    Args:
        model: The model, or any function.
        outputs: What a call of it returned, or that its graph has for it: a tensor, or
            a dict of tensors, or a list of tensors, nested or not.
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
        return [*named.values()][operator.index(index)]
    except (TypeError, IndexError):
        raise ValueError(
            f"Expected `output` to be an index from 0 to {len(named) - 1}, of the "
            f"outputs of {whose}, or a name. Received: output={output!r}"
        ) from None


def _named(model, outputs):
    """Outputs by their names, in the order of the model."""
    if isinstance(outputs, dict):
        graph = graph_of(model)
        # Compiled by JAX, a function returns dicts sorted.
        names = outputs if graph is None else graph.output
        return {name: outputs[name] for name in names}
    outputs = tree.flatten(outputs) if isinstance(outputs, list | tuple) else [outputs]
    names = getattr(model, "output_names", None) or ()
    if len(set(names)) != len(outputs):
        names = [f"output {index}" for index in range(len(outputs))]
    return dict(zip(names, outputs, strict=True))
