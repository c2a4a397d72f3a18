"""Values that should be shares of the image, and are given in another unit."""

from keras_lap.injection.knowledge.doubt import Doubt

# Boxes of annotated or augmented images may reach a little beyond the image.
_SURELY_NO_SHARE = 1.5


def no_shares(name, advice):
    """The `Doubt` of values that are too far above 1 to be shares.

    Args:
        name: Name of the kind of knowledge.
        advice: What to do about them.
    """
    return Doubt(
        flags=lambda values: values > _SURELY_NO_SHARE,
        message=lambda count: (
            f"Expected targets {name!r} as shares of the image, from 0 to 1. Received "
            f"{count} values far above 1. {advice}"
        ),
    )
