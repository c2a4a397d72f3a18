"""Elements of data sets of any form."""

from collections.abc import Mapping


def image_and_targets(element):
    """The image of an element of a data set, and the rest that is of use.

    Args:
        element: An image; a tuple or list of one, of its targets and of what is not
            read; or a dict of `"image"` and other targets. In a tuple the image may be
            in a dict, under the name of the model's input.

    Returns:
        The image, and the targets, or `None` without any.

    Raises:
        ValueError: If it is a dict without an image.
    """
    if isinstance(element, Mapping):
        if "image" not in element:
            raise ValueError(
                'Expected the images of a data set of dicts under "image", or inputs '
                "of a model by name in batches (inputs, targets), where targets may "
                f"be None. Received: {sorted(element)}"
            )
        return element["image"], element
    image, *targets = element if isinstance(element, tuple | list) else (element,)
    if isinstance(image, Mapping) and len(image) == 1:
        (image,) = image.values()
    return image, targets[0] if targets else None
