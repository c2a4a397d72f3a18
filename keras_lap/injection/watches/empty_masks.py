"""Looks for masks that are empty since they are missing."""

from keras import ops

# So many masks of a concept are looked at before they are judged.
_MASKS = 32


def empty_masks(concepts, forward):
    """Images whose labels name each concept, by whether their mask is empty or not.

    Of masks that are the label's alone.

    Args:
        concepts: Number of the concepts of the layer to look at.
        forward: A `ForwardPass`, of a `Watch`.
    """
    layer = forward.layer_of(concepts)
    # Masks that name their concepts go beside labels of anything else.
    if layer is None or layer.knowledge.nameless("mask") is None:
        return None
    knowledge = layer.knowledge
    named = (knowledge["present"] > 0) & knowledge["mask_known"]
    shows = ops.any(knowledge["mask"] > 0, axis=(1, 2))
    return ops.stack([named & ~shows, named & shows], axis=1), _message


def _message(counts):
    empty, shown = counts
    are_judged = empty + shown >= _MASKS
    # Half of them, or all of all concepts: of one alone it is right, as of no finding,
    # with which a data set that is not shuffled may begin.
    are_all_empty = are_judged.all() and not shown.any()
    is_odd = are_judged & (empty >= shown) & ((shown > 0) | are_all_empty)
    if not is_odd.any():
        return None
    return (
        f"Targets 'mask' are empty in {empty[is_odd].sum()} images whose labels name "
        f"what they are masks of, and show it in {shown[is_odd].sum()}. An empty mask "
        "says that there is nothing to see, so that concepts are held down where they "
        "are. If masks are only missing, say which are there by the flags 'valid', as "
        'in `"valid": {"mask": masks.any(axis=(1, 2))}`.'
    )
