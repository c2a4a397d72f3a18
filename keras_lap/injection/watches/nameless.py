"""Looks for masks and boxes of no concept."""


def nameless(name, forward):
    """Images with masks or boxes that belong to what a label does not name.

    Args:
        name: `"mask"` or `"boxes"`.
        forward: A `ForwardPass`, of a `Watch`.
    """
    # The last layer tells most: it has all classes, if any has.
    told = (layer.knowledge.nameless(name) for layer in reversed(forward.layers))
    flags = next((flags for flags in told if flags is not None), None)
    return None if flags is None else (flags, lambda count: _message(name, count))


def _message(name, count):
    return (
        f"Targets {name!r} are the label's, and in {count} images they show something "
        "while the label names nothing, so that they count as empty or, of images of "
        "no class, not at all. Where labels are not known, such as -1, leave them out "
        "by the flags 'valid'. Of two classes with one output, what they show may be "
        "the other one: a label of 1 names it, and folders of classes are numbered in "
        "alphabetical order. If labels are measurements or of something else, name the "
        "concepts of masks and boxes, as masks (N, H, W, K) for layers of K concepts "
        "and boxes with 'box_concepts' do."
    )
