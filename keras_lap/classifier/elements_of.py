"""The elements of a data set, or why there are none."""


def elements_of(dataset):
    """The elements of a data set, which TensorFlow may have to put into batches.

    Args:
        dataset: A `tf.data.Dataset`, or any other iterable.

    Yields:
        Its elements.

    Raises:
        ValueError: If samples of one batch are of several sizes.
    """
    if not hasattr(dataset, "element_spec"):
        yield from dataset
        return
    from tensorflow.errors import InvalidArgumentError

    try:
        yield from dataset
    except InvalidArgumentError as error:
        if "tensors with different shapes" not in error.message:
            raise
        raise ValueError(
            "Expected images of one size, and masks likewise. Received a data set of "
            f"several: {error.message} Resize them, or take those of each size by "
            "themselves."
        ) from error
