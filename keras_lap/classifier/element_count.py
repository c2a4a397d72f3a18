"""How long a data set is."""


def element_count(dataset):
    """The number of elements of a `tf.data.Dataset`.

    Args:
        dataset: The data set, or any other iterable.

    Returns:
        The number, or `None` where it is not known, as of other iterables.

    Raises:
        ValueError: If the data set never ends.
    """
    if not hasattr(dataset, "cardinality"):
        return None
    count = int(dataset.cardinality())
    if count == -1:
        raise ValueError(
            "Expected a data set that ends. Received: one that repeats forever. "
            "Take as much of it as you want with `dataset.take(n)`."
        )
    return count if count >= 0 else None
