"""One kind of knowledge that the targets of a batch may hold."""

from collections.abc import Callable
from dataclasses import dataclass

from keras import ops


@dataclass(frozen=True)
class Kind:
    """What one key of the targets means.

    Attributes:
        name: The key.
        shapes: The shapes that its values may have, each a tuple of a letter for an
            axis of any length or a number for one of that length; `N` is the batch.
        unknown: The value that takes the place of what is not valid.
        fit: Function `(value, layer)` that fits float32 values to a
            `LayerKnowledge`'s pixels and concepts.
        is_known: Function of the values as given that says for which samples they say
            anything, flags `(N,)`; or `None` if they always do.
        check: Function `(given, image_size)` that raises a `ValueError` if values of
            this kind do not fit the images or the rest of what was given; or `None`.
            `image_size` is `(height, width)`, or `None` where that is not known.
        doubts: Tuple of the `Doubt`s of its values.
        if_ragged: What to do about a ragged tensor of them, in words.
    """

    name: str
    shapes: tuple
    unknown: float
    fit: Callable
    is_known: Callable | None = None
    check: Callable | None = None
    doubts: tuple = ()
    if_ragged: str = "pad it in the data set, by `to_tensor(-1)`"

    def check_values(self, values, samples):
        """Raises a `ValueError` if values cannot be of this kind, by their shape.

        Lengths that are not known before the data are not checked.

        Args:
            values: The values.
            samples: Number of images, or `None`.
        """
        if isinstance(values, dict):
            raise ValueError(
                f"Expected targets {self.name!r} as one array of shape "
                f"{self.described}. Received a dict with the keys {sorted(values)}: "
                "give each as targets of its own, such as the 'labels' of boxes as "
                "'box_concepts'."
            )
        if hasattr(values, "ragged_rank"):
            raise ValueError(
                f"Expected targets {self.name!r} of as many rows for each image. "
                f"Received a ragged tensor: {self.if_ragged}."
            )
        if not hasattr(values, "shape"):
            raise ValueError(
                f"Expected targets {self.name!r} as one array of shape "
                f"{self.described}. Received: a {type(values).__name__}. Stack them, "
                "as by `np.stack`; where they are known of some images alone, with any "
                "values for the others, and flags that say which are 'valid'."
            )
        shape = tuple(values.shape)
        if not any(_matches(shape, allowed) for allowed in self.shapes):
            raise ValueError(
                f"Expected targets {self.name!r} of shape {self.described}. "
                f"Received shape: {shape}"
            )
        if None not in (shape[0], samples) and shape[0] != samples:
            raise ValueError(
                f"Expected targets {self.name!r} with one entry per image, {samples}. "
                f"Received shape: {shape}"
            )

    @property
    def described(self):
        """The shapes in words."""
        shapes = ["(" + ", ".join(map(str, shape)) + ")" for shape in self.shapes]
        return " or ".join(shapes)

    def clean(self, values, valid):
        """The values as float32, those of samples that are not valid unknown.

        Args:
            values: As given, of one of the `shapes`.
            valid: Flags `(N,)` or `(N, 1)`, or `None` if all are valid.
        """
        values = ops.cast(values, "float32")
        if valid is None:
            return values
        flags = ops.reshape(ops.cast(valid, "bool"), (-1,) + (1,) * (values.ndim - 1))
        return ops.where(flags, values, self.unknown)


def _matches(shape, allowed):
    return len(shape) == len(allowed) and all(
        isinstance(wanted, str) or length in (None, wanted)
        for length, wanted in zip(shape, allowed, strict=True)
    )
