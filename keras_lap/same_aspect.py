"""Sizes of pictures that show the same, at one resolution or another."""


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
