"""What is said where it is not known where maps lie in the image."""


class GuessedPlaceWarning(UserWarning):
    """Maps may lie at wrong places in the image."""


def guess_warning(guesses):
    """What to say of maps whose places in the image are guesses.

    Args:
        guesses: List of the `guesses` of the `CallPlace`s of the maps.

    Returns:
        A string, or `None` if all is known.
    """
    steps = list(dict.fromkeys(name for names in guesses for name in names))
    if not steps:
        return None
    return (
        f"Where the steps {steps} of the model put the pixels of a map is not known. "
        "They are taken to keep its extent, which is right for blocks that only "
        "stride. If they cut, pad, flip, turn or shuffle it, the maps of the LAP "
        "layers behind lie at wrong places in the image. Do such steps in the data "
        "set, in front of the model, or by layers that are followed, such as "
        "`Cropping2D`, `ZeroPadding2D`, `CenterCrop` and `Resizing`; otherwise check "
        "the maps, by `keras_lap.explain(...).plot()`."
    )
