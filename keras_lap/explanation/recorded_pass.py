"""Forward passes that also tell what the LAP layers computed."""

import keras
from keras import ops

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
        A function as of `recorded_pass`, with arrays for tensors. Its records hold no
        logits, and of the attention scores the first group.
    """
    calls = []

    def note(records):
        calls[:] = [(record.layer, record.scores is not None) for record in records]

    recorder = _Recorder(model, note)

    def forward(images):
        outputs, attention, scores = recorder.predict_on_batch(images)
        scores = iter(scores)
        records = [
            ScoreRecord(layer, None, next(scores) if has_scores else None, seen)
            for (layer, has_scores), seen in zip(calls, attention, strict=True)
        ]
        return outputs, records

    return forward


class _Recorder(keras.Model):
    """Returns what the LAP layers of a model computed beside what it returns itself.

    Args:
        model: The model.
        note: Function that is called with the records of every call.
    """

    def __init__(self, model, note):
        # The images reach the model as they are, whatever the policy at the time.
        super().__init__(autocast=False, name="recorder")
        self.recorded = model
        self._note = note
        self.compile(
            run_eagerly=model.run_eagerly,
            # XLA on TensorFlow and torch's compiler take longer than they save here.
            jit_compile=keras.config.backend() == "jax" and not model.run_eagerly,
        )

    def call(self, images):
        outputs, records = recorded_pass(self.recorded)(images)
        self._note(records)
        attention = [ops.cast(each.attention[..., :1], "float32") for each in records]
        scores = [
            ops.cast(record.scores, "float32")
            for record in records
            if record.scores is not None
        ]
        return outputs, attention, scores
