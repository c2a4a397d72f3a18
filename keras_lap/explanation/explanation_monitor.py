"""Maps of a few images while a model trains."""

import contextlib
import importlib.util
import pathlib
import tempfile
import warnings

import keras
import numpy as np
from keras import ops, tree

from keras_lap.classifier.labels import standardize_labels
from keras_lap.classifier.model_inputs import images_of
from keras_lap.classifier.standardize_masks import check_masks
from keras_lap.explanation.combine import COMBINATIONS
from keras_lap.explanation.explain import explain
from keras_lap.explanation.image_source import are_batches, arrays_given, files_of
from keras_lap.explanation.matplotlib_module import matplotlib_module
from keras_lap.layers.gate_warning import ClosedGateWarning
from keras_lap.utils.class_concepts import standardize_class_concepts
from keras_lap.utils.names import check_choice, check_names
from keras_lap.utils.standardize_count import standardize_count
from keras_lap.utils.warn import saying_once, warn


class ExplanationMonitor(keras.callbacks.Callback):
    """Draws the maps of a few images again and again during `fit`.

    A PNG file `epoch_0003.png` shows them after three epochs, as
    `keras_lap.Explanation.plot` draws them, and `epoch_0000.png` before the first one,
    or whichever epoch `fit` starts with. Colours go from 0 to 1 in all of them, so that
    epochs can be compared. Files of later epochs that the folder holds already, as from
    another run, are warned of. Where TensorBoard is installed, the same
    figures are image summaries, with epochs for steps.

    Training is not changed by it: weights and random numbers are the same to the last
    bit as without. Nothing is kept from one figure to the next.

    What is wrong with the images, names or folder makes `fit` fail before it trains. An
    error later on, as when a disk is full, is a warning, the first time, and training
    goes on.

    Args:
        images: Array or tensor `(N, H, W, C)` as the model takes them, or
            `(N, C, H, W)` if it is `channels_first`; along with the model's other
            inputs, as for `keras_lap.explain`; or a list of image files, which are read
            for each figure.
        directory: Folder for the files, which is made if it is missing.
        every: Number of epochs from one figure to the next.
        concepts: Indices or names of the concepts to draw, as for `keras_lap.explain`,
            a column each; by default all if there are few, and otherwise those of the
            predictions and labels. Of models with hundreds of concepts, name some: the
            maps of all are held in memory for a moment.
        layers: Names of LAP layers, as for `keras_lap.explain`.
        combine: As for `keras_lap.explain`.
        labels: Int array `(N,)`, shown beside the images.
        masks: Array `(N, H, W)`, boolean or of zeros and ones, outlined.
        concept_names: List of names of the model's concepts, if they have some.
        class_names: List of names of the classes, if they have some.
        class_concepts: Which concepts speak for which class, as for
            `keras_lap.explain`.
        output: Name or index of the output to explain, as for `keras_lap.explain`.
        max_images: How many of the images are drawn, the first ones. Only they are
            kept.
        tensorboard: Folder for image summaries; `"auto"` for `directory/tensorboard` if
            Keras runs on TensorFlow and TensorBoard is installed; `None` for none.

    Raises:
        ImportError: If matplotlib is not installed, or TensorFlow or TensorBoard is not
            while `tensorboard` is a folder.
        ValueError: If an argument is out of its range, arrays are not of the same
            length, or labels and concepts are not among those that have names.
        OSError: From `fit`, if the folder cannot be written to.

    Example:

    >>> import pathlib, tempfile
    >>> import keras, numpy as np, keras_lap
    >>> model = keras.Sequential(
    ...     [
    ...         keras.Input((8, 8, 1)),
    ...         keras_lap.GlobalLAPooling2D(concepts=2),
    ...         keras.layers.Dense(2, activation="softmax"),
    ...     ]
    ... )
    >>> model.compile("sgd", "sparse_categorical_crossentropy")
    >>> x, y = np.zeros((4, 8, 8, 1)), np.array([0, 1, 0, 1])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     monitor = keras_lap.callbacks.ExplanationMonitor(
    ...         x, folder, labels=y, max_images=2, tensorboard=None
    ...     )
    ...     history = model.fit(x, y, verbose=0, callbacks=[monitor])
    ...     sorted(path.name for path in pathlib.Path(folder).iterdir())
    ['epoch_0000.png', 'epoch_0001.png']
    """

    def __init__(
        self,
        images,
        directory,
        every=1,
        concepts=None,
        layers=None,
        combine="flow",
        *,
        labels=None,
        masks=None,
        concept_names=None,
        class_names=None,
        class_concepts=None,
        output=None,
        max_images=8,
        tensorboard="auto",
    ):
        super().__init__()
        self.every = standardize_count("every", every)
        self.max_images = standardize_count("max_images", max_images)
        check_choice("combine", combine, tuple(COMBINATIONS))
        self.directory = pathlib.Path(directory)
        self.tensorboard = _standardize_tensorboard(tensorboard, self.directory)
        matplotlib_module("matplotlib")
        files = files_of(images)
        if not files and are_batches(images):
            raise ValueError(
                "Expected an array of images, or a list of files. Received: "
                f"{type(images).__name__}. Take the images of a batch of a data set."
            )
        inputs = files or arrays_given(images)
        shape = (len(files),) if files else tuple(images_of(inputs).shape)
        if not files and (len(shape) != 4 or 0 in shape):
            raise ValueError(
                "Expected images of rank 4, (N, H, W, C) or (N, C, H, W), not empty, "
                f"or a list of files. Received: images.shape={shape}"
            )
        if files:
            self._images = files[: self.max_images]
        else:
            self._images = tree.map_structure(
                lambda values: _first(values, self.max_images), inputs
            )
        self._options = {
            "concepts": concepts,
            "layers": layers,
            "combine": combine,
            "concept_names": concept_names,
            "class_names": class_names,
            "class_concepts": class_concepts,
            "output": output,
        }
        for name, values in (("labels", labels), ("masks", masks)):
            if values is not None and len(values) != shape[0]:
                raise ValueError(
                    f"Expected `{name}` of as many images as there are, {shape[0]}. "
                    f"Received: {len(values)}"
                )
            if values is not None:
                self._options[name] = _first(values, self.max_images)
        _check_options(**self._options)
        self._writer = None

    def set_model(self, model):
        super().set_model(model)
        # A training that failed never came to its end.
        self._close()

    def on_train_begin(self, logs=None):
        _check_folder(self.directory)
        if self.tensorboard is not None:
            _check_folder(self.tensorboard)
        self._has_begun = self._has_warned = False
        self._said = set()

    def on_epoch_begin(self, epoch, logs=None):
        if self._has_begun:
            return
        self._warn_of_later_files(epoch)
        # A model that is not built yet has no maps.
        if self.model.built:
            self._draw(epoch)
        self._has_begun = True

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every:
            return
        try:
            self._draw(epoch + 1)
        except Exception as error:  # Hours of training are worth more than a figure.
            if not self._has_warned:
                warn(
                    f"ExplanationMonitor could not draw the maps after epoch "
                    f"{epoch + 1}, and does not tell of further ones: "
                    f"{type(error).__name__}: {error}",
                )
            self._has_warned = True

    def on_train_end(self, logs=None):
        self._close()

    def _warn_of_later_files(self, epoch):
        later = [
            path.name
            for path in sorted(self.directory.glob("epoch_*.png"))
            if path.stem[6:].isdigit() and int(path.stem[6:]) > epoch
        ]
        if later:
            warn(
                f"{str(self.directory)!r} holds maps of a training that went further, "
                f"{later[0]!r} to {later[-1]!r}. They are overwritten one by one, and "
                "those of two trainings stand side by side until then. Give each "
                "training a folder of its own.",
            )

    def _draw(self, epoch):
        with (
            _random_state_of(self.model),
            saying_once(self._said),
            warnings.catch_warnings(),
        ):
            # Gates open while it trains.
            warnings.simplefilter("ignore", ClosedGateWarning)
            explanation = explain(self.model, self._images, verbose=0, **self._options)
        path = self.directory / f"epoch_{epoch:04}.png"
        # A figure and its axes know each other: cleared, they are gone at once.
        explanation.plot(count=None, scale="unit", path=path).clear()
        if self.tensorboard is not None:
            self._summarize(path, epoch)

    def _summarize(self, path, epoch):
        import tensorflow as tf

        if self._writer is None:
            self._writer = tf.summary.create_file_writer(str(self.tensorboard))
        figure = tf.io.decode_png(path.read_bytes())
        with self._writer.as_default():
            tf.summary.image("explanation", figure[None], step=epoch)
        self._writer.flush()

    def _close(self):
        if self._writer is not None:
            self._writer.close()
        self._writer = None


@contextlib.contextmanager
def _random_state_of(model):
    """Puts the states of the model's random numbers back to what they were."""
    weights = {id(weight) for weight in model.non_trainable_weights}
    states = [
        state for state in model.non_trainable_variables if id(state) not in weights
    ]
    before = [ops.convert_to_numpy(state.value).copy() for state in states]
    try:
        yield
    finally:
        for state, value in zip(states, before, strict=True):
            state.assign(value)


def _check_options(
    concepts,
    concept_names,
    class_names,
    class_concepts,
    labels=None,
    masks=None,
    **_,
):
    """Raises a `ValueError` for what is wrong whatever the model is."""
    if class_concepts is not None:
        standardize_class_concepts(class_concepts)
    if concepts is not None and concept_names is not None:
        wanted = concepts if isinstance(concepts, list | tuple) else [concepts]
        names = [name for name in wanted if isinstance(name, str)]
        check_names("the names of concepts", names, list(concept_names))
    labels = standardize_labels(labels)
    if masks is not None:
        check_masks(masks, masks.shape[1:3])
    if labels is None or class_names is None:
        return
    classes = len(class_names)
    if labels.max() >= classes or labels.shape[1:] not in ((), (classes,)):
        raise ValueError(
            f"Expected labels of {classes} classes, those of `class_names`. Received: "
            f"labels of shape {labels.shape}, up to {labels.max()}"
        )


def _first(values, count):
    """A copy of the first ones, so that the others need not stay in memory."""
    return np.array(ops.convert_to_numpy(values[:count]))


def _standardize_tensorboard(tensorboard, directory):
    """The folder for summaries, or `None`."""
    missing = [
        package
        for package in ("tensorflow", "tensorboard")
        if importlib.util.find_spec(package) is None
    ]
    if tensorboard == "auto":
        if missing or keras.config.backend() != "tensorflow":
            return None
        return directory / "tensorboard"
    if tensorboard is None:
        return None
    if missing:
        raise ImportError(
            f"Expected TensorFlow and TensorBoard, for tensorboard={tensorboard!r}. "
            f"Received: no {' and no '.join(missing)}. Install them, or leave the "
            "argument out."
        )
    return pathlib.Path(tensorboard)


def _check_folder(directory):
    try:
        directory.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=directory).close()
    except OSError as error:
        raise OSError(
            f"Expected {str(directory)!r} to be a folder that can be written to. "
            f"Received: {error}"
        ) from error
