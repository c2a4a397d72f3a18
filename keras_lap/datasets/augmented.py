"""Keras' preprocessing layers on images and on what is known about them."""

import functools

import keras
import numpy as np
import tensorflow as tf

from keras_lap.datasets.box_planes import boxes_around, paint_boxes
from keras_lap.datasets.keep_thin import KeepThin
from keras_lap.utils.moves_pixels import moves_pixels
from keras_lap.utils.odd_boxes import are_no_shares, are_reversed
from keras_lap.utils.preprocessing_layers import MASK_BREAKING

# What masks are told apart by at least.
_SMALL = 0.125
_POINTWISE = (keras.layers.Normalization, keras.layers.Rescaling)


def augmented(layers):
    """Makes preprocessing layers move masks and boxes along with the images.

    `dataset.map(augmented(layers))` takes batches, or single samples, of images and
    targets as `keras_lap.callbacks.KnowledgeInjection` takes them:

    - `"mask"` is moved by Keras, pixel by pixel without interpolation, and has to have
      the size of the images (for `Resizing` any size). What comes in from beyond the
      image's edge is outside of the mask, unless it mirrors the image. One that holds
      NaN, and so is not known, becomes NaN all over. Where `Resizing` makes masks
      smaller, thin things stay, though wider than they were: inside is what the mask
      covers by at least half of what it covers of any pixel. Where the nearest value
      there is 0, it gets the highest one near. `CenterCrop` and `RandomCrop` enlarge
      images that are smaller than the crop, and their masks, by interpolation: put
      `Resizing` first.
    - `"boxes"` are moved as masks: the new box is the smallest one around the moved
      one, in whole pixels. It holds what of the old one was mirrored into the image
      (`fill_mode="reflect"`, the default of Keras), so use `"constant"` for tight
      boxes. A box that left the image becomes padding, -1, and padding stays padding.
      Boxes of integers come back as float32. What cannot be top, left, bottom, right
      as shares of the image, such as pixels, stays as it is, for `KnowledgeInjection`
      warns of it.
    - Everything else is passed on as it is, such as labels, which are not made to say
      that something left the image, and `"area"`, so leave room in its bounds for what
      zooming changes.

    Without masks and boxes, or with a plain label for a target, the images alone are
    augmented. Layers that only change colours leave masks and boxes as they are.

    Mapped over single samples, `RandomCrop` draws a new crop for every image; over
    batches, one for all of the batch. Layers with a seed repeat themselves if the map
    is not parallel.

    Args:
        layers: List of Keras' preprocessing layers for images, `Pipeline`,
            `Normalization` and `Rescaling`, or a single one; all in the layout
            `"channels_last"`.

    Returns:
        Function `(image, targets) -> (image, targets)`; sample weights may follow. The
        image is `(H, W, C)` or `(N, H, W, C)`.

    Raises:
        TypeError: If something is no layer.
        ValueError: If a layer blends images or moves masks otherwise than images, if it
            is not known whether it moves pixels, it has another layout, or its
            `fill_value` is so large that masks are rounded away beside it, as may be
            in float16 and bfloat16; and, when called, if the image is one of several
            inputs, or a mask or boxes do not fit it.

    Example:

    >>> import keras, numpy as np, tensorflow as tf
    >>> from keras_lap.datasets import augmented
    >>> image, box = np.zeros((4, 8, 1)), np.array([[0, 0, 0.5, 0.25]])
    >>> dataset = tf.data.Dataset.from_tensors((image, {"label": 1, "boxes": box}))
    >>> shift = keras.layers.RandomTranslation(0, (0.25, 0.25), fill_mode="constant")
    >>> _, targets = next(iter(dataset.map(augmented([shift]))))
    >>> targets["boxes"].numpy().tolist()
    [[0.0, 0.25, 0.5, 0.5]]
    """
    steps = [_step(layer) for layer in _flat(layers)]

    def augment(image, targets, *sample_weight):
        if isinstance(image, dict | tuple):
            received = sorted(image) if isinstance(image, dict) else len(image)
            raise ValueError(
                "Expected an image (H, W, C), or a batch of them, as one tensor. "
                f"Received a {type(image).__name__} of inputs: {received}. Call this "
                "on the image alone, in a function of your own for `dataset.map` that "
                "puts what else the model takes beside what comes back."
            )
        for step in steps:
            image, targets = step(image, targets)
        return (image, targets, *sample_weight)

    return augment


def _flat(layers):
    """The layers, with those of pipelines one by one."""
    if isinstance(layers, keras.layers.Pipeline | keras.Sequential):
        yield from _flat(layers.layers)
    elif isinstance(layers, keras.layers.Layer):
        yield layers
    elif isinstance(layers, list | tuple):
        for layer in layers:
            yield from _flat(layer)
    else:
        raise TypeError(
            "Expected Keras' preprocessing layers, of which `augmented(layers)` makes "
            "a function for `dataset.map`. Received: an object of type "
            f"{type(layers).__name__}"
        )


def _step(layer):
    """What a layer does to `(image, targets)`."""
    if isinstance(layer, _POINTWISE):
        return functools.partial(_pointwise, layer)
    if not hasattr(layer, "transform_segmentation_masks"):
        raise _refusal(layer, "of which it is not known whether it moves pixels")
    for kind, reason in MASK_BREAKING.items():
        if isinstance(layer, kind):
            raise _refusal(layer, f"which {reason}")
    if layer.data_format != "channels_last":
        raise _refusal(
            layer,
            f"in the layout {layer.data_format!r}",
            "Make it with data_format='channels_last'.",
        )
    if not isinstance(layer, keras.layers.Resizing) and not moves_pixels(layer):
        return lambda image, targets: (layer(image, training=True), targets)
    fill = _fill_of(layer)
    small = fill.dtype.type(_SMALL)
    if (small + fill) - fill != small:
        raise _refusal(
            layer,
            f"which fills in {layer.fill_value}, beside which {layer.compute_dtype} "
            "rounds masks away",
            "Make it with a smaller `fill_value`, or with dtype='float32'.",
        )
    is_resizing = isinstance(layer, keras.layers.Resizing)
    return functools.partial(_move, layer, KeepThin(layer) if is_resizing else None)


def _refusal(layer, reason, remedy="Leave it out."):
    return ValueError(
        "Expected layers of Keras that preprocess images channels_last and move masks "
        f"along with them. Received: {layer.name!r} of type {type(layer).__name__}, "
        f"{reason}. {remedy}"
    )


def _pointwise(layer, image, targets):
    """Lets a layer change every pixel by itself."""
    image = tf.convert_to_tensor(image)
    if not layer.built:
        # Not in the graph that calls it, which may end before the layer does.
        with tf.init_scope():
            layer.build(tuple(image.shape))
    return layer(image), targets


def _move(layer, keep_thin, image, targets):
    """Lets a layer move an image and, as planes of one mask, what is known of it."""
    image = tf.convert_to_tensor(image)
    known = targets if isinstance(targets, dict) else {}
    planes = {}
    if known.get("mask") is not None:
        planes["mask"] = _mask_planes(layer, known["mask"], image)
    if known.get("boxes") is not None and moves_pixels(layer):
        _check_boxes(known["boxes"], image)
        planes["boxes"] = paint_boxes(known["boxes"], tf.shape(image)[-3:-1])
    if not planes:
        return layer({"images": image}, training=True)["images"], targets
    # Layers fill masks with the value that they fill images with; so far off, what
    # they fill in is zero.
    fill = _fill_of(layer)
    before = tf.concat([tf.cast(p, fill.dtype) for p in planes.values()], -1)
    both = {"images": image, "segmentation_masks": before + fill}
    moved = layer(both, training=True)
    stack = moved["segmentation_masks"] - fill
    if keep_thin is not None:
        stack = keep_thin(before, stack)
    gaps = tf.reduce_any(tf.math.is_nan(before), axis=(-3, -2), keepdims=True)
    stack = tf.where(~gaps, stack, np.nan)
    targets = dict(targets)
    if "mask" in planes:
        mask, count = tf.convert_to_tensor(known["mask"]), planes["mask"].shape[-1]
        values = stack[..., :count] if _has_concepts(mask, image) else stack[..., 0]
        values = tf.round(values) if mask.dtype.is_integer else values
        values = values >= 0.5 if mask.dtype.is_bool else values
        targets["mask"] = tf.cast(values, mask.dtype)
        stack = stack[..., count:]
    if "boxes" in planes:
        boxes = tf.convert_to_tensor(known["boxes"])
        # Moved ones end anywhere.
        boxes = tf.cast(boxes, boxes.dtype if boxes.dtype.is_floating else "float32")
        is_odd = tf.reduce_any(are_no_shares(boxes), axis=-1) | are_reversed(boxes)
        moved_boxes = tf.cast(boxes_around(stack), boxes.dtype)
        targets["boxes"] = tf.where(is_odd[..., None], boxes, moved_boxes)
    return moved["images"], targets


def _fill_of(layer):
    """The value that a layer fills images with, as it computes."""
    dtype = tf.as_dtype(layer.compute_dtype).as_numpy_dtype
    return np.asarray(getattr(layer, "fill_value", 0.0), dtype)


def _mask_planes(layer, mask, image):
    """A mask with a concept axis, `(..., H, W, K)`."""
    mask = tf.convert_to_tensor(mask)
    planes = mask if _has_concepts(mask, image) else mask[..., None]
    if planes.shape.rank != image.shape.rank:
        raise ValueError(
            "Expected a mask (H, W) or (H, W, K) with each image (H, W, C). Received "
            f"shapes: {mask.shape} with {image.shape}"
        )
    sizes = [tensor.shape[-3:-1] for tensor in (planes, image)]
    if moves_pixels(layer) and not sizes[0].is_compatible_with(sizes[1]):
        raise ValueError(
            "Expected masks of the size of the images they are augmented with: resize "
            f"both first by `keras.layers.Resizing`. Received: masks of {sizes[0]} for "
            f"images of {sizes[1]}"
        )
    return planes


def _check_boxes(boxes, image):
    shape = None if isinstance(boxes, dict) else tf.convert_to_tensor(boxes).shape
    if shape is None or shape.rank != image.shape.rank - 1 or shape[-1] != 4:
        raise ValueError(
            "Expected boxes (M, 4) with each image (H, W, C), one of them as (1, 4), "
            "in one array. Received "
            + ("a dict" if shape is None else f"shapes: {shape} with {image.shape}")
        )


def _has_concepts(mask, image):
    return mask.shape.rank == image.shape.rank
