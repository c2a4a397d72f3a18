"""What a step of `fit` or `evaluate` does with knowledge."""

import contextlib
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from keras_lap.graph.functional_of import functional_of
from keras_lap.injection.knowledge import Knowledge, split_targets
from keras_lap.injection.losses.input_gradient_loss import InputGradientLoss
from keras_lap.injection.step.are_names_of_outputs import are_names_of_outputs
from keras_lap.injection.step.image_batch import ImageBatch
from keras_lap.injection.step.input_tape import InputTape
from keras_lap.injection.step.weight_of_label import weight_of_label
from keras_lap.layers import score_tape

# Replicas run their steps in threads of their own.
_current_run = ContextVar("current_run")


class KnowledgeStep:
    """A step that takes knowledge out of its batch and adds terms to its loss.

    Both methods are for a `StepFunction`.

    Args:
        supervision: The `Supervision` of the model.
        losses: List of losses, settled for the model.
        terms: The `Terms` of the losses.
        watches: List of the `Watch`es of the losses.
    """

    def __init__(self, supervision, losses, terms, watches):
        self._supervision = supervision
        self._losses = losses
        self._terms = terms
        self._watches = watches

    def wrap(self, is_training, step):
        """Hides from a step all of the targets but the label, and tapes the scores."""
        model = self._supervision.model

        def step_with_knowledge(data):
            x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
            sample_weight = weight_of_label(sample_weight, y)
            knowledge = split_targets(y, self._supervision.outputs)
            if not model.built:
                # Building may call the layers on placeholders, which no tape must see.
                model(x)
            _let_sizes_be_known(model, x)
            knowledge.check_against(x, self._supervision.data_format)
            with score_tape() as records, self._input_tape(x, is_training) as tape:
                inputs = x if tape is None else tape.inputs
                current = _Run(is_training, inputs, knowledge, records, tape)
                token = _current_run.set(current)
                try:
                    logs = step(
                        keras.utils.pack_x_y_sample_weight(
                            inputs, knowledge.label, sample_weight
                        )
                    )
                finally:
                    _current_run.reset(token)
            # Without knowledge, an evaluation may be of metrics alone.
            if current.calls is None and (is_training or knowledge.given):
                raise ValueError(
                    "Expected a model whose steps call `compute_loss`, into which the "
                    f"knowledge goes. Received {model.name!r} of type "
                    f"{type(model).__name__} with steps that do not."
                )
            return logs

        return step_with_knowledge

    def _input_tape(self, inputs, is_training):
        if not any(isinstance(loss, InputGradientLoss) for loss in self._losses):
            return contextlib.nullcontext()
        batch = ImageBatch(inputs, self._supervision.data_format)
        return InputTape(self._supervision.model, batch, is_training)

    def compute_loss(
        self, own, x=None, y=None, y_pred=None, sample_weight=None, *training, **named
    ):
        """The model's own loss plus the weighted terms."""
        run = _current_run.get()
        self._check_names(run.knowledge, y_pred)
        loss = own(x, y, y_pred, sample_weight, *training, **named)
        # It need not have been told what the model was called on.
        inputs, knowledge = run.inputs if x is None else x, run.knowledge
        forward = self._supervision.forward_pass(
            run.latest_calls(), inputs, y_pred, knowledge, run.tape
        )
        for watch in self._watches:
            watch.add(forward)
        for index, term in enumerate(self._losses):
            missing = knowledge.missing(term.needs)
            if missing and run.is_training:
                raise ValueError(
                    f"Expected targets with {missing} for the loss {term.name!r}: pass "
                    f'y as a dict such as {{"label": ..., "{missing}": ...}}. '
                    f"Received targets without {missing}."
                )
            if missing:
                continue
            counts = knowledge.counts(term.needs, sample_weight, forward.samples)
            told = term.told(forward)
            if told is not None:
                counts = counts * ops.cast(told, counts.dtype)
            values = term.of_pass(forward, counts)
            weighted = self._terms.add(index, values, counts, run.is_training)
            # Unlike `+`, it brings both to one dtype.
            loss = ops.add(loss, weighted)
        return loss

    def _check_names(self, knowledge, predictions):
        """Raises a `ValueError` if what is given may be labels of several outputs."""
        names, model = ["label", *knowledge.given], self._supervision.model
        if knowledge.given and are_names_of_outputs(model, names, predictions):
            raise ValueError(
                "Expected the labels of several outputs under 'label', as in "
                f'{{"label": {{"{names[0]}": ..., "{names[1]}": ...}}}}, beside what '
                f"else is known. Received targets {names}, all of them names of "
                "outputs."
            )


@dataclass(eq=False)
class _Run:
    """What one run of the step, in one thread, knows and has recorded."""

    is_training: bool
    inputs: Any
    knowledge: Knowledge
    records: list
    tape: InputTape | None
    calls: list | None = None

    def latest_calls(self):
        """Records of the layers since the last loss, or those that it read.

        A step may compute several losses, of one forward pass or of one each.
        """
        if self.records or self.calls is None:
            self.calls, self.records[:] = list(self.records), []
        return self.calls


def _let_sizes_be_known(model, inputs):
    """Tells images the size that the model says all of its images have.

    In a graph of TensorFlow, data of a generator may have any size.

    Args:
        model: A `keras.Model`.
        inputs: What it is going to be called on.
    """
    functional, tensors = functional_of(model), keras.tree.flatten(inputs)
    if keras.config.backend() != "tensorflow" or functional is None:
        return
    if not len(tensors) == len(functional.inputs) == 1:
        return
    (images,) = tensors
    if images.shape.rank == 4 and None in images.shape[1:]:
        images.set_shape((None, *functional.inputs[0].shape[1:]))
