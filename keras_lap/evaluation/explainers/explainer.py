"""The interface that all explainers have."""

import abc

import numpy as np

from keras_lap.evaluation.targets import standardize_targets
from keras_lap.utils.layout import height_and_width, standardize_data_format
from keras_lap.utils.standardize_count import standardize_count


class Explainer(abc.ABC):
    """A method that says which pixels of an image speak for a class.

    A subclass implements `prepare`. Functions and other callables
    `(images, targets) -> maps` are taken wherever an `Explainer` is, so a subclass is
    needed only for methods that must be told the model.

    Args:
        name: str, the name in tables and figures. Defaults to `None`: that of the
            class.
        batch_size: int, number of images per forward pass. Defaults to `32`.
        data_format: `"channels_last"` or `"channels_first"`, the layout of the images.
            Defaults to `None`: `keras.config.image_data_format()`.

    Raises:
        ValueError: If `batch_size` is below 1 or `data_format` is none of the two.

    Example:
    >>> import numpy as np
    >>> from keras_lap.evaluation.explainers import Explainer
    >>> class Brightness(Explainer):
    ...     def prepare(self, model):
    ...         return lambda images, targets: images.mean(axis=-1)
    >>> Brightness().name
    'Brightness'
    >>> Brightness().explain(None, np.ones((2, 4, 4, 3)), [0, 1]).shape
    (2, 4, 4)
    """

    def __init__(self, name=None, *, batch_size=32, data_format=None):
        self.name = type(self).__name__ if name is None else name
        self.batch_size = standardize_count("batch_size", batch_size)
        self.data_format = standardize_data_format(data_format)

    @abc.abstractmethod
    def prepare(self, model):
        """Does what depends on the model alone, but not on its weights.

        Args:
            model: The `keras.Model` to explain, or `None` where the method needs none.

        Returns:
            A function from checked images, an array of rank 4, and targets, an int
            array `(N,)`, to maps `(N, H, W)`.
        """

    def on(self, model):
        """A function that explains one model, for many calls.

        It is `(images, targets) -> maps`, and what it takes, returns and raises is as
        in `explain`. The model's weights are read at each call of the function, so that
        it explains the model as it is then.
        """
        maps_of = self.prepare(model)

        def explained(images, targets):
            images, targets = _standardize(images, targets)
            size = self.image_size(images)
            if not len(images):
                return np.zeros((0, *size), np.float32)
            maps = np.asarray(maps_of(images, targets), np.float32)
            if maps.shape != (len(images), *size):
                raise ValueError(
                    f"Expected {self.name} to return one map per image, of shape "
                    f"{(len(images), *size)}. Received: maps of shape {maps.shape}"
                )
            return maps

        return explained

    def explain(self, model, images, targets):
        """Raw maps of images.

        Args:
            model: The `keras.Model` to explain.
            images: Array `(N, H, W, C)`, or `(N, C, H, W)` with `"channels_first"`, in
                the range that the model expects.
            targets: Int array `(N,)`, the class that each map is for, or one int for
                all images.

        Returns:
            Float32 array `(N, H, W)`. Larger values speak more for the class; the
            scale is that of the method.

        Raises:
            ValueError: If the images or targets do not fit, or the model does not suit
                the method.
        """
        return self.on(model)(images, targets)

    def image_size(self, images):
        """`(height, width)` of images in this explainer's layout."""
        return height_and_width(images.shape, self.data_format)

    def __repr__(self):
        return f"<{type(self).__name__} {self.name!r}>"


class CallableExplainer(Explainer):
    """A function `(images, targets) -> maps` as an `Explainer`."""

    def __init__(self, function, name=None, **options):
        super().__init__(name or getattr(function, "__name__", "callable"), **options)
        self._function = function

    def prepare(self, model):
        return self._function


def as_explainer(explainer, name=None, **options):
    """Makes an `Explainer` of a callable, and leaves one as it is.

    Args:
        explainer: An `Explainer`, or a callable `(images, targets) -> maps`.
        name: str, the name of the callable in tables. Defaults to its own.
        **options: `batch_size` and `data_format` of an `Explainer`.

    Raises:
        TypeError: If it is neither.

    Example:
    >>> from keras_lap.evaluation.explainers import as_explainer
    >>> as_explainer(lambda images, targets: images[..., 0], "red").name
    'red'
    """
    if isinstance(explainer, Explainer):
        return explainer
    if isinstance(explainer, type) or not callable(explainer):
        raise TypeError(
            "Expected an Explainer, or a callable (images, targets) -> maps. "
            f"Received: {explainer!r}. Make an object of a class first, as in "
            "`GradCAM()`."
        )
    return CallableExplainer(explainer, name, **options)


def _standardize(images, targets):
    images = np.asarray(images)
    if images.ndim != 4:
        raise ValueError(
            "Expected images of rank 4, (N, H, W, C) or (N, C, H, W). "
            f"Received: images.shape={images.shape}. Give one image a batch axis with "
            "`images[None]`."
        )
    return images, standardize_targets(targets, len(images))
