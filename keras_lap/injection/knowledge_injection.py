"""The callback that puts knowledge losses into the training step of `fit`."""

import functools

import keras
import numpy as np

from keras_lap.graph.find_layers import standardize_layers
from keras_lap.injection.fit_callback import FitCallback
from keras_lap.injection.losses.standardize_losses import standardize_losses
from keras_lap.injection.step.build_on_labels import let_models_build_on_labels
from keras_lap.injection.step.has_own import has_own
from keras_lap.injection.step.knowledge_step import KnowledgeStep
from keras_lap.injection.step.replicas import scope_of, strategy_of
from keras_lap.injection.step.step_function import StepFunction
from keras_lap.injection.step.supervision import Supervision
from keras_lap.injection.step.terms import BALANCES, Terms
from keras_lap.injection.warn_of_frozen_layers import warn_of_frozen_layers
from keras_lap.injection.warn_of_moving_pixels import warn_of_moving_pixels
from keras_lap.injection.warn_of_shared_layers import warn_of_shared_layers
from keras_lap.injection.watches import watches_of
from keras_lap.layers.gate_warning import ClosedGateWarning, gate_warning, gates_of
from keras_lap.utils.class_concepts import standardize_class_concepts
from keras_lap.utils.names import check_choice
from keras_lap.utils.warn import warn

_UNRECORDED = (
    ", or the model's own step has not recorded them, which has to call "
    "`compute_loss`, and on JAX `stateless_compute_loss`, whose variables of metrics "
    "it returns"
)
_ARGUMENTS = ("losses", "weights", "warmup", "balance", "layers", "class_concepts")
# What the methods of a callback set, in the order of their calls.
_OF_A_FIT = {
    *("_is_given_anew", "_strategy", "_terms", "_watches", "_functions"),
    *("_supervision", "_step", "_empty", "params_of_fit", "is_in_fit"),
    *("_is_first_step", "_epochs_begun", "_epoch", "is_validating"),
}


class KnowledgeInjection(FitCallback):
    """Adds knowledge losses on LAP layers to the training of any compiled model.

    `model.fit(dataset, callbacks=[KnowledgeInjection([...])])` trains on batches
    `(x, y)` where `y` is the label as ever, or a dict with `"label"` and what else
    is known, for `K` concepts:

    - `"mask"`, `(N, H, W)` or `(N, H, W, K)`, of any resolution with the images'
      aspect ratio, from 0, outside, to 1, inside; what lies beyond counts as these, and
      a mask that holds NaN is not known. Without a concept axis it belongs to the
      concepts that the label makes present; with one of size `K`, that of the layer, it
      names its concepts itself.
    - `"boxes"`, `(N, M, 4)`: top, left, bottom, right as shares of the image, padded
      with -1 (`"rel_yxyx"` of `keras.utils.bounding_boxes`). What is outside of
      `[0, 1]` is cut off, and what has no area then is padding.
    - `"box_concepts"`, `(N, M)`: the number of each box's concept. Boxes without, or
      with -1, belong to the concepts that the label makes present.
    - `"concepts"`, `(N, K)`: image-level attributes; 1 present, 0 absent, -1 unknown.
    - `"area"`, `(N, K, 2)`: the least and the largest share of the image that a
      concept covers where it is present; -1 or NaN for an unknown bound.
    - `"valid"`: flags `(N,)` that say for which samples the knowledge is there, or a
      dict of such flags per kind. What is not valid is not read. A sample whose boxes
      are all padding, or whose attributes or areas are all unknown, needs no flag.

    Labels with a value per class, or that of a single output, make present what has
    0.5 and more; what is negative or NaN is not known. docs/data.md tells how the
    compiled loss changes that, and of labels that name nothing, as measurements do.

    What is known of places is laid on the map of each layer by where its pixels lie in
    the image, and every call of a layer is supervised. docs/losses.md tells where
    places are not known, of which the callback warns if losses compare them.

    The compiled loss and metrics see the label alone. Pass the same callback to
    `evaluate` for a data set with such dicts; an evaluation without it is that of the
    model alone. `train_on_batch`, `test_on_batch` and `class_weight` go with labels
    alone: use `fit` and `evaluate` on one batch, and `sample_weight`.

    The training loss becomes

        loss + sum_i weights[i] * mean over layers of mean over samples of term_i

    where a sample for which the needed knowledge is missing counts as zero, and sample
    weights multiply. Every term is logged under its name, averaged over the samples
    that it applied to, or as NaN if there were none. Validation data without what a
    term needs leaves it out of the validation loss. Terms that are warming up have
    their full weights in validation, so that its losses can be compared.

    After a training it warns of gates that are closed: list it behind callbacks that
    bring back earlier weights then, as `EarlyStopping(restore_best_weights=True)` does.

    Only the steps of this `fit` are changed: between them and after them the model is
    as it was, and after an error so is every `fit` and `evaluate` to come. It is the
    same on TensorFlow, JAX and torch, and on replicas and workers of TensorFlow's
    strategies, whose logs are those of all of them.

    Args:
        losses: List of `keras_lap.losses` objects, or functions as `FunctionLoss`
            takes them.
        weights: List of factors, 0 or more, one per loss, or one for all.
        warmup: Number of epochs, possibly fractional, over which the weights grow in
            a line from 0, or a list with one per loss. They grow with every step, or
            execution of several steps, or, where `fit` does not know their number
            beforehand, with every epoch.
        balance: `None`, or `"uncertainty"`, for terms of very different or changing
            sizes: each enters by its logarithm, `weights[i] * log(1 + 100 term_i)` of
            its mean over layers and samples, which must not be negative; see
            docs/losses.md.
        layers: Name or list of names of the LAP layers to supervise, or `None` for
            all. In nested models their path says which one, as in
            `"backbone/pool1"`; a name that several have stands for all of them.
        class_concepts: Array `(classes, K)` of zeros and ones that says which concepts
            speak for which class, or ints `(classes,)`, the one concept of each; by
            default concept `k` speaks for class `k`. The single concept of a layer with
            one speaks for all classes that have any; by default for all. A model with a
            single output has one class, which a label of 1 says is there; of rows for
            two classes the second counts.

    Raises:
        ValueError: If an argument is out of its range, the model has no LAP layers
            or none of the names in `layers`, the targets do not hold what the
            losses need or do not fit the images and layers, a loss has the name of
            one of the model's own logs, another `KnowledgeInjection` takes part in
            the same `fit`, or Keras runs JAX with NNX.

    Example:

    >>> import keras, numpy as np, keras_lap
    >>> model = keras.Sequential(
    ...     [
    ...         keras.Input((8, 8, 1)),
    ...         keras_lap.GlobalLAPooling2D(concepts=2),
    ...         keras.layers.Dense(2, activation="softmax"),
    ...     ]
    ... )
    >>> model.compile("sgd", "sparse_categorical_crossentropy")
    >>> x, mask = np.zeros((4, 8, 8, 1)), np.zeros((4, 8, 8))
    >>> mask[:, 2:5, 3:6] = 1
    >>> y = {"label": np.array([0, 1, 0, 1]), "mask": mask}
    >>> injection = keras_lap.callbacks.KnowledgeInjection(
    ...     [keras_lap.losses.Presence(), keras_lap.losses.MaskSupervision()],
    ...     weights=[0.1, 1.0],
    ... )
    >>> history = model.fit(x, y, verbose=0, callbacks=[injection])
    >>> sorted(history.history)
    ['loss', 'mask_supervision', 'presence']
    """

    def __init__(
        self,
        losses,
        weights=1.0,
        warmup=0.0,
        balance=None,
        layers=None,
        class_concepts=None,
    ):
        super().__init__()
        self.losses = standardize_losses(losses)
        self.weights = _one_per_loss("weights", weights, self.losses)
        self.warmup = _one_per_loss("warmup", warmup, self.losses)
        check_choice("balance", balance, BALANCES)
        self.balance = balance
        self.layers = standardize_layers(layers)
        if class_concepts is not None:
            class_concepts = standardize_class_concepts(class_concepts)
        self.class_concepts = class_concepts
        let_models_build_on_labels()

    def __setattr__(self, name, value):
        if name in _ARGUMENTS and hasattr(self, name):
            raise AttributeError(
                "Expected a new KnowledgeInjection with another argument, as steps "
                f"that are compiled keep theirs. Received: {name}={value!r}"
            )
        super().__setattr__(name, value)

    def __getstate__(self):
        """Copies are new: they leave out what a `fit` has traced, and its model."""
        own = {name: it for name, it in vars(self).items() if name not in _OF_A_FIT}
        return {**own, "params": None, "_model": None}

    def __setstate__(self, state):
        vars(self).update(state)
        let_models_build_on_labels()

    def set_model(self, model):
        _check_no_nnx()
        strategy = strategy_of(model)
        supervision = Supervision(model, self.layers, self.class_concepts)
        if model is not self._model or strategy is not self._strategy:
            names = [loss.name for loss in self.losses]
            with scope_of(strategy):
                terms = Terms(names, self.weights, self.warmup, self.balance)
                watches = watches_of(self.losses, supervision.most_concepts)
            # Only now, for what is traced belongs to the terms and watches before.
            self._terms, self._watches = terms, watches
            self._strategy, self._functions = strategy, {}
        super().set_model(model)
        self._make_step(supervision)
        warn_of_moving_pixels(self._supervision, self.losses)
        warn_of_shared_layers(self._supervision, self.losses)
        if not self.is_in_fit:
            self._warn_anew()

    def _make_step(self, supervision):
        """Settles what of a step depends on the model and its compiled loss."""
        self._supervision = supervision
        self._step = KnowledgeStep(
            supervision,
            [loss.for_model(supervision.model) for loss in self.losses],
            self._terms,
            self._watches,
        )

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        self._warn_anew()
        pairs = zip(self.losses, self.weights, strict=True)
        counting = [loss for loss, weight in pairs if weight]
        warn_of_frozen_layers(self._supervision, counting)
        self._is_first_step = True
        self._epochs_begun = 0

    def on_epoch_begin(self, epoch, logs=None):
        self._terms.reset()
        self._epoch = epoch
        self._epochs_begun += 1
        self._terms.warm_up(epoch)

    def on_train_batch_end(self, batch, logs=None):
        self._check_step("train")
        if self._is_first_step:
            self._is_first_step = False
            self._warn()

    def on_test_batch_end(self, batch, logs=None):
        self._check_step("test")

    def on_test_end(self, logs=None):
        self._warn()
        if not self.is_validating:
            self._warn_of_nan(logs, [loss.name for loss in self.losses])

    def on_epoch_end(self, epoch, logs=None):
        self._warn()
        terms = [loss.name for loss in self.losses]
        self._warn_of_nan(logs, [*terms, *(f"val_{name}" for name in terms)])

    def on_train_end(self, logs=None):
        super().on_train_end(logs)
        layers = self._supervision.layers
        # Where fits have one epoch each, or gates begin to open, another `fit` goes on.
        if self._epochs_begun > 1 and 0 in gates_of(layers):
            warn(gate_warning(layers), ClosedGateWarning)

    def on_test_begin(self, logs=None):
        super().on_test_begin(logs)
        self._terms.reset()

    def on_train_batch_begin(self, batch, logs=None):
        steps = self.params_of_fit.get("steps")
        if steps:
            self._terms.warm_up(self._epoch + batch / steps)
        self._stand_in("train")

    def on_test_batch_begin(self, batch, logs=None):
        self._stand_in("test")

    def _stand_in(self, kind):
        """Makes the next step of the model one with knowledge."""
        # On JAX `self.model` would copy its whole state back to its variables.
        model = self._supervision.model
        own = getattr(model, f"{kind}_function")
        if isinstance(own, StepFunction):
            own.make_way()
            if own is not self._functions.get(kind):
                raise ValueError(
                    "Expected one KnowledgeInjection at a time, with all losses in "
                    "its list. Received a model with another one at work."
                )
            own = own.own
        function = self._functions.get(kind)
        if function is not None and function.own is not own:
            # The model may have been compiled anew, for another loss.
            self._make_step(Supervision(model, self.layers, self.class_concepts))
        if function is None or function.own is not own or not function.has_run:
            function = self._functions[kind] = StepFunction(
                model,
                kind,
                functools.partial(self._step.wrap, kind == "train"),
                self._step.compute_loss,
                self._terms,
                [v for each in (self._terms, *self._watches) for v in each.variables],
            )
        function.stand_in()

    def _warn_anew(self):
        """Forgets what has been warned of."""
        self._empty = set()
        for watch in self._watches:
            watch.reset()

    def _warn(self):
        for watch in self._watches:
            watch.warn()

    def _warn_of_nan(self, logs, names):
        """Warns of terms of these names that are NaN, once of each."""
        names = [name for name in names if name not in self._empty]
        empty = [name for name in names if np.isnan((logs or {}).get(name, 0))]
        self._empty.update(empty)
        if empty:
            model = self._supervision.model
            is_own = has_own(model, "train_step") or has_own(model, "test_step")
            warn(
                f"The terms {empty} are NaN: no sample of the epoch held what they "
                f"need, or some held NaN{_UNRECORDED if is_own else ''}. Look at the "
                "flags `valid`, at boxes, which have to be shares of the image (top, "
                "left, bottom, right), at NaN in masks and, if the loss is NaN too, in "
                "labels, and at the validation data."
            )

    def _check_step(self, kind):
        """Raises a `ValueError` if the last step was not one with knowledge."""
        if self._functions[kind].is_awaited:
            raise ValueError(
                "Expected the model to make the step that KnowledgeInjection has "
                "prepared. Received another one, without knowledge: a callback that is "
                "listed behind it has called the model's own step, as "
                f"`{kind}_on_batch` does, in its `on_{kind}_batch_begin`. List it "
                "before KnowledgeInjection."
            )


def _check_no_nnx():
    """Raises a `ValueError` where Keras calls the steps of a model's class alone."""
    if keras.config.backend() == "jax" and keras.config.is_nnx_enabled():
        raise ValueError(
            "Expected Keras without NNX, with which no callback can put knowledge into "
            "the steps of a model. Received Keras with it: leave KERAS_NNX_ENABLED out "
            "of the environment, and `nnx_enabled` out of keras.json."
        )


def _one_per_loss(name, numbers, losses):
    count = len(losses)
    try:
        are_numbers = np.asarray(numbers).dtype.kind in "buif"
        values = np.asarray(numbers, "float64")
        is_right = (
            are_numbers and values.shape in ((), (count,)) and (values >= 0).all()
        )
        is_right = is_right and np.isfinite(values).all()
    except (TypeError, ValueError):
        is_right = False
    if not is_right:
        raise ValueError(
            f"Expected `{name}` to be one number or a list of {count}, one per loss in "
            f"their order, each finite and 0 or more. Received: {name}={numbers!r}"
        )
    return np.broadcast_to(values, count).tolist()
