"""Looks for grey pictures in RGB that are taken for the masks of three concepts."""

from keras import ops


def grey_pictures(forward):
    """Masks of three concepts in a batch that shows the same of all, for a `Watch`.

    At least two images of a batch must show something: three concepts may coincide in
    one. A batch of one image is never counted.

    Args:
        forward: A `ForwardPass`.
    """
    knowledge = forward.knowledge
    concepts = {layer.logits.shape[-1] for layer in forward.layers}
    if "mask" not in knowledge.given or 3 not in concepts:
        return None
    masks = knowledge.clean("mask")
    if masks.ndim == 3 or masks.shape[-1] != 3:
        return None
    shows = ops.any(masks > 0, axis=(1, 2, 3))
    is_grey = ops.all(masks == masks[..., :1], axis=(1, 2, 3))
    are_several = ops.sum(ops.cast(shows, "int32")) > 1
    return shows & are_several & ops.all(is_grey | ~shows), _message


def _message(count):
    return (
        "Expected targets 'mask' (N, H, W, 3) to hold the masks of three concepts. "
        f"Received {count} whose three channels are the same, as in a grey picture "
        "that was read as RGB. If they are that, pass one channel, `mask[..., 0]`: "
        "it belongs to what the label names."
    )
