from keras_lap.names import check_names


def output_index(output, names, count, what="the name of an output"):
    """Which of a model's outputs is meant.

    Args:
        output: Name or index, `None` for the first.
        names: Names of the outputs, in their order.
        count: Number of outputs.
        what: What a name has to be, for the message.

    Returns:
        An index from 0 to `count - 1`.

    Raises:
        ValueError: If there is no such output.
    """
    index = 0 if output is None else output
    if isinstance(index, str):
        check_names(f"`output` to be {what}", [index], names)
        index = names.index(index)
    if index not in range(count):
        raise ValueError(
            f"Expected `output` to be an index from 0 to {count - 1}. "
            f"Received: output={index}"
        )
    return index
