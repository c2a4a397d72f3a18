"""Forward passes that also tell what the LAP layers computed."""

from keras_lap.compiled import compiled
from keras_lap.layers.score_tape import ScoreRecord, score_tape


def recorded_pass(model):
    """The forward pass of a model, operation by operation.

    Args:
        model: A built model.

    Returns:
        A function from a batch of images, as the model takes them, to a tuple: what the
        model returns in inference mode, and its list of `ScoreRecord`.
    """

    def forward(images):
        with score_tape() as records:
            outputs = model(images, training=False)
        return outputs, records

    return forward


def compiled_pass(model):
    """The forward pass of a model as one function of the backend.

    It is traced on TensorFlow and compiled on JAX, at the first call and again for
    other shapes of images; from then on it takes about as long as a prediction. On
    torch, and in models with `run_eagerly`, it runs operation by operation. The weights
    are read at each call.

    Args:
        model: A built model.

    Returns:
        A function as of `recorded_pass`, whose records hold no logits.
    """
    forward = recorded_pass(model)
    if model.run_eagerly:
        return forward
    calls = []

    def tensors(images):
        outputs, records = forward(images)
        # Only while it is traced: what comes out of a compiled function are tensors.
        calls[:] = [(record.layer, record.scores is not None) for record in records]
        scores = [record.scores for record in records if record.scores is not None]
        return outputs, [record.attention for record in records], scores

    run = compiled(tensors, model.variables)

    def recorded(images):
        outputs, attention, scores = run(images)
        scores = iter(scores)
        records = [
            ScoreRecord(layer, None, next(scores) if has_scores else None, seen)
            for (layer, has_scores), seen in zip(calls, attention, strict=True)
        ]
        return outputs, records

    return recorded
