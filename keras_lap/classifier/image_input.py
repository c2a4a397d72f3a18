"""What a model says of the images it takes."""

from dataclasses import dataclass

import numpy as np

from keras_lap.graph.data_format_of import data_format_of
from keras_lap.graph.functional_of import functional_of
from keras_lap.utils.check_model import check_model
from keras_lap.utils.layout import channel_axis
from keras_lap.utils.names import some_of_many


def check_one_input(model):
    """Raises a `ValueError` if a model, or `None`, has a graph of several inputs."""
    functional = functional_of(model)
    if functional is not None and len(functional.inputs) != 1:
        raise ValueError(
            "Expected a model with a single input, the image. Received: "
            f"{model.name!r} with {len(functional.inputs)} inputs. Wrap it in a model "
            "that makes the other inputs itself."
        )


@dataclass(frozen=True)
class ImageInput:
    """The input of a model that takes images.

    Attributes:
        name: Name of the model.
        shape: `(N, H, W, C)` or `(N, C, H, W)`, `None` where it is open; `None` if the
            model does not say.
        data_format: `"channels_last"` or `"channels_first"`, by `data_format_of`.
        count: Number of inputs of the model, `None` if it does not say.
    """

    name: str
    shape: tuple | None
    data_format: str
    count: int | None = None

    @classmethod
    def of(cls, model):
        """The input of a model.

        Raises:
            TypeError: If it is no Keras model.
            ValueError: If it is not built, or has several inputs of which not just one
                is of rank 4.
        """
        check_model(model)
        if not model.built:
            raise ValueError(
                f"Expected a model that is built. Received: {model.name!r}, which has "
                "no weights yet. Train it, load its weights, or call it on a batch "
                "first."
            )
        data_format = data_format_of(model)
        functional = functional_of(model)
        if functional is None:
            return cls(model.name, None, data_format)
        shapes = [tuple(tensor.shape) for tensor in functional.inputs]
        images = [shape for shape in shapes if len(shape) == 4]
        if len(shapes) > 1 and len(images) != 1:
            raise ValueError(
                "Expected a model with one input of images, of rank 4. Received: "
                f"{model.name!r} with {len(shapes)} inputs of shapes {shapes}. Wrap it "
                "in a model that takes one and makes the others itself."
            )
        # Keras takes any number of images, also where a batch has a size of its own.
        shape = (None, *(images or shapes)[0][1:])
        return cls(model.name, shape, data_format, count=len(shapes))

    @property
    def spatial(self):
        """Which axes of the images are their height and width."""
        return slice(2, 4) if self.data_format == "channels_first" else slice(1, 3)

    def last(self, images):
        """Turns images of the model's layout into `(N, H, W, C)`."""
        is_first = self.data_format == "channels_first"
        return images.transpose(0, 2, 3, 1) if is_first else images

    def first(self, images):
        """Turns images `(N, H, W, C)` into the model's layout."""
        is_first = self.data_format == "channels_first"
        return images.transpose(0, 3, 1, 2) if is_first else images

    def check(self, shape):
        """Raises a `ValueError` if images of a shape do not fit."""
        shape = tuple(shape)
        if len(shape) == 4 and 0 in shape:
            raise ValueError(f"Expected images. Received: none, images.shape={shape}")
        if len(shape) != 4:
            channel = ":" if self.data_format == "channels_first" else "..."
            raise ValueError(
                "Expected images of rank 4, (N, H, W, C) or (N, C, H, W). "
                f"Received: images.shape={shape}. Give one image a batch axis with "
                "`images[None]`, and grey images (N, H, W) an axis of channels with "
                f"`images[{channel}, None]`."
            )
        if self.shape is not None and not self._fits(shape):
            raise ValueError(
                f"Expected images of shape {('N', *self.shape[1:])} as the input of "
                f"{self.name!r}. Received: images.shape={shape}. {self._advice(shape)}"
            )

    def _fits(self, shape):
        return len(self.shape) == 4 and all(
            wanted in (None, size)
            for wanted, size in zip(self.shape, shape, strict=True)
        )

    def _advice(self, shape):
        """What to do with images of a shape that does not fit."""
        channels = channel_axis(self.data_format)

        def would_fit(count):
            changed = [*shape]
            changed[channels] = count
            return self._fits(changed)

        if shape[channels] == 1 and would_fit(3):
            return (
                "Repeat the one channel of grey images, by "
                f"`np.repeat(images, 3, axis={channels})`."
            )
        if shape[channels] == 3 and would_fit(1):
            return (
                "Turn them grey as in training, as by "
                "`keras.ops.image.rgb_to_grayscale`."
            )
        return (
            "Resize them, as by `keras.ops.image.resize`, or reorder their axes, to "
            "the shape that the model expects; files are resized by `explain`."
        )


def check_finite(images, what="images", indices=None):
    """Raises a `ValueError` if values of images `(N, H, W, C)` are NaN or infinite.

    The message calls them `what`, and each by its index, one of `indices` if given.
    """
    if images.dtype.kind != "f":
        return
    broken = np.flatnonzero([not np.isfinite(image).all() for image in images])
    if len(broken):
        named = broken if indices is None else indices[broken]
        raise ValueError(
            "Expected finite images. Received: NaN or infinite values in "
            f"{len(broken)} of {len(images)} {what}: {some_of_many(named, 20)}, "
            "counted from 0. Leave them out, or mend them as in training."
        )
