"""xplique's methods as explainers of this library."""

import importlib
import inspect

import keras
import numpy as np

from keras_lap.classifier.class_outputs import class_outputs, holds_logits
from keras_lap.evaluation.explainers.explainer import Explainer
from keras_lap.evaluation.outputs import class_scores, raw_outputs
from keras_lap.evaluation.score_model import ScoreModel
from keras_lap.evaluation.targets import check_classes
from keras_lap.utils.layout import channel_axis
from keras_lap.utils.names import check_names

# They copy the model layer by layer from its configuration, which a model that was
# rebuilt without its nesting and its softmax does not have.
_COPYING = ("DeconvNet", "GuidedBackprop")


class Xplique(Explainer):
    """A method of xplique, such as RISE, Grad-CAM++, LIME or KernelSHAP.

    Methods that only call the model, such as `"Rise"`, `"Lime"`, `"KernelShap"` and
    `"Occlusion"`, explain its output, the probability. Those that take gradients, such
    as `"GradCAMPP"` and `"Saliency"`, explain the score before the softmax, see
    `keras_lap.evaluation.score_model.ScoreModel`; nested models do not stop them.
    xplique reduces the channels of a gradient to their mean, of `"Saliency"` to their
    maximum, unless it is told a `reducer`.

    `"DeconvNet"` and `"GuidedBackprop"` are not offered: xplique copies the model for
    them layer by layer, which finds neither nested models nor what comes before a
    softmax. `"FEM"` has one map for all classes. xplique's Grad-CAM methods do not run
    in mixed precision.

    Methods that draw at random do so by TensorFlow and NumPy: for the same maps every
    time call `keras.utils.set_random_seed` first.

    xplique is not asked for by any extra of this library, because it pins an older
    TensorFlow; version 2.0.2 runs on Keras 3 all the same, installed with
    `pip install --no-deps xplique`. It imports cachetools, deprecated, einops,
    scikit-image, scikit-learn and scipy.

    Args:
        method: str, a class of `xplique.attributions`.
        name: str, the name in tables. Defaults to `None`: `"Rise (xplique)"`.
        batch_size: int, number of images, perturbed ones too, per forward pass.
            Defaults to `32`.
        data_format: see `Explainer`. Methods that take gradients only know
            `"channels_last"`.
        **options: arguments of the method, as `nb_samples=1000`. `conv_layer` of
            Grad-CAM methods is a name or path as for `GradCAM`, by default the last
            layer with more than one pixel.

    Raises:
        ImportError: If xplique is not installed; when an image is explained.
        ValueError: If xplique has no such method, or a method that only calls the model
            is given one with a single output of logits; when an image is explained.

    Example:

    ```python
    explainers = [LAP(), Xplique("Rise", nb_samples=1000), Xplique("GradCAMPP")]
    comparison = keras_lap.evaluation.compare(model, data, explainers)
    ```
    """

    def __init__(
        self, method, *, name=None, batch_size=32, data_format=None, **options
    ):
        super().__init__(
            name or f"{method} (xplique)",
            batch_size=batch_size,
            data_format=data_format,
        )
        self.method = method
        self.options = options

    def prepare(self, model):
        attributions = _attributions()
        base = attributions.base
        methods = [
            name
            for name in attributions.__all__
            if isinstance(getattr(attributions, name), type) and name not in _COPYING
        ]
        check_names("a method of xplique that runs here", [self.method], methods)
        method_class = getattr(attributions, self.method)
        if issubclass(method_class, base.WhiteBoxExplainer):
            method = self._with_gradients(method_class, base.BlackBoxExplainer, model)
        else:
            # Not the model itself, which xplique would keep for as long as Python runs.
            method = method_class(
                self._function(model),
                batch_size=self.batch_size,
                operator=_score,
                **self.options,
            )

        def maps_of(images, targets):
            classes = class_scores(model, images[:1]).shape[-1]
            check_classes(targets, classes)
            one_hot = np.eye(classes, dtype=np.float32)[targets]
            images = np.moveaxis(images, channel_axis(self.data_format), -1)
            maps = np.asarray(method(images.astype(np.float32), one_hot))
            return maps[..., 0] if maps.shape[3:] == (1,) else maps

        return maps_of

    def _function(self, model):
        def scores(images):
            images = np.moveaxis(np.asarray(images), -1, channel_axis(self.data_format))
            columns = raw_outputs(model, images, self.batch_size)
            if columns.shape[-1] == 1 and holds_logits(columns):
                raise ValueError(
                    "Expected probabilities of a model with a single output for two "
                    f"classes. Received: values from {columns.min():.4g} to "
                    f"{columns.max():.4g}. End the model in a sigmoid, or take a "
                    "method that uses gradients, such as GradCAMPP."
                )
            return class_outputs(columns, from_logits=False)

        return scores

    def _with_gradients(self, method_class, base, model):
        if self.data_format != "channels_last":
            raise ValueError(
                'Expected data_format="channels_last" for a method of xplique that '
                f"takes gradients. Received: {self.data_format!r} for {self.method}. "
                "Use a method that only calls the model, such as Rise."
            )
        score = ScoreModel(model)
        known = inspect.signature(method_class).parameters
        options = dict(self.options)
        if "operator" in known:
            options["operator"] = _score
        if "conv_layer" in known:
            options["conv_layer"] = score.features(
                options.get("conv_layer"), self.data_format
            ).name
        method = method_class(score.of_all, batch_size=self.batch_size, **options)
        # xplique would keep the model for as long as Python runs.
        key = id(score.of_all.inputs), id(score.of_all.outputs)
        base._cache_models.pop(key, None)
        return method


def _attributions():
    try:
        attributions = importlib.import_module("xplique.attributions")
        importlib.import_module("xplique.attributions.base")
    except ImportError as error:
        raise ImportError(
            "Expected xplique and what it imports to be installed, see "
            f"`keras_lap.evaluation.explainers.Xplique`. Received: {error}"
        ) from error
    return attributions


# xplique's own is a function that TensorFlow compiles and keeps for every model.
def _score(model, inputs, targets):
    """Score of the class of each image, from one-hot targets."""
    scores = keras.ops.cast(model(inputs), targets.dtype)
    return keras.ops.sum(scores * targets, axis=-1)
