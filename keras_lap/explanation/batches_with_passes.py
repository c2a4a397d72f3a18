"""Batches of images, and the forward pass that is the fastest for all of them."""

from keras_lap.explanation.recorded_pass import compiled_pass, recorded_pass

# Of fewer batches the forward pass is not compiled.
_COMPILED_FROM = 16


def batches_with_passes(model, source):
    """The batches of a source, each with the forward pass to take for it.

    Compiling pays where many batches of one size are to come. Where their number is not
    known, it is taken to be large once many have come.

    Args:
        model: A built model.
        source: An `ImageSource`.

    Yields:
        Pairs of a `SourceBatch` and a function as of `recorded_pass`.
    """
    start, count = _COMPILED_FROM, source.batch_count
    if count is not None:
        start = 0 if count >= _COMPILED_FROM else None
    plain = forward = recorded_pass(model)
    size = None
    for index, batch in enumerate(source.batches):
        size = size or len(batch.images)
        if index == start:
            forward = compiled_pass(model)
        yield batch, forward if len(batch.images) == size else plain
