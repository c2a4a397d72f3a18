"""Sizes of pictures that show the same, at one resolution or another."""


def check_masks_aspect(masks, images):
    """Raises a `ValueError` if masks have another aspect ratio than their images.

    Args:
        masks: Height and width of the masks.
        images: Height and width of the images.
    """
    if not same_aspect(masks, images):
        raise ValueError(
            "Expected masks with the aspect ratio of the images, at any resolution. "
            f"Received: masks of {tuple(masks)} for images of {tuple(images)}. Crop, "
            "pad or resize the masks as the images were."
        )


def same_aspect(first, second):
    """Whether two sizes are those of the same image, each rounded to whole pixels.

    Args:
        first: Height and width.
        second: Another height and width.

    Returns:
        A boolean.
    """
    (height, width), (other_height, other_width) = first, second
    return (
        abs(width - height * other_width / other_height) < 1
        or abs(height - width * other_height / other_width) < 1
    )
