"""Values that should be shares of the image, and are given in another unit."""

# Boxes of annotated or augmented images may reach a little beyond the image.
_SURELY_NO_SHARE = 1.5

NO_SHARES = (
    "Expected targets {name!r} as shares of the image, from 0 to 1. Received {{count}} "
    "values far above 1. {advice}"
)


def is_no_share(values):
    """Flags of the values that are too far above 1 to be shares."""
    return values > _SURELY_NO_SHARE
