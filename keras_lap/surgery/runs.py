"""What the calls of a graph read and make in one forward pass."""

import itertools
from dataclasses import dataclass
from typing import Any

import keras

from keras_lap.graph.data_format_of import data_format_of
from keras_lap.graph.own_data_format import own_data_format
from keras_lap.surgery.cost import call_cost
from keras_lap.surgery.reach import Reach, reach_behind, sizes_along, whole_image
from keras_lap.utils.layout import spatial_axes


@dataclass(frozen=True, eq=False)
class Run:
    """One run of a call, for one image. Sizes that Keras does not know are `None`.

    Attributes:
        call: The `Call`.
        read: Shape, without a batch axis, of the first tensor that it reads.
        made: List of the shapes of its outputs.
        reach: The `Reach` of the first tensor that it reads. A map that was made of
            something else than maps has seen the whole image; in a model that takes no
            images the first such map is the image.
    """

    call: Any
    read: tuple
    made: list
    reach: Reach

    @property
    def cost(self):
        """Its `Cost`, parameters aside."""
        dtype = self.call.outputs[0].dtype
        return call_cost(self.call.operation, self.read, self.made, dtype)


def runs_by_call(graph, image_size):
    """Sends the shape of an image through a graph.

    Args:
        graph: A `Graph`.
        image_size: Height and width of the image where the model leaves them open.

    Returns:
        Dict from ids of calls to lists of `Run`. A call in a nested model has one for
        each time that the model is run, calls of nested models themselves have none.
    """
    found, image_axes = {}, spatial_axes(data_format_of(graph.model, graph))
    inputs = [_sized(tensor, image_size) for tensor in graph.model.inputs]
    images = (tensor.shape for tensor in inputs if len(tensor.shape) == 4)
    image = next((sizes_along(image_axes, shape) for shape in images), None)
    is_sized = all(_is_known(tensor) for tensor in graph.model.inputs)

    def step(call, values):
        nonlocal image
        tensors, reaches, _ = zip(*values, strict=True)
        stays = is_sized and all(_is_known(tensor) for tensor in call.outputs)
        outputs = call.outputs if stays else _made(call, tensors, inputs)
        first, _, axes = next(itertools.compress(values, reaches), values[0])
        own = own_data_format(call.operation)
        if own and len(first.shape) == 4:
            axes = spatial_axes(own)
        reach = reaches[0] or whole_image(image, tensors[0].shape, axes)
        run = Run(call, _shape(tensors[0]), list(map(_shape, outputs)), reach)
        found.setdefault(id(call), []).append(run)
        maps = [(each.shape, reach) for each, reach, _ in values if reach]
        made = []
        for output in outputs:
            reach, new_axes = reach_behind(call, maps, axes, output.shape)
            is_map = len(output.shape) == 4 and _is_known(output)
            if reach is None and image is None and is_map:
                reach, image = Reach(), sizes_along(image_axes, output.shape)
            made.append((output, reach, new_axes or image_axes))
        return made

    graph.carry(
        [
            (each, Reach() if len(each.shape) == 4 else None, image_axes)
            for each in inputs
        ],
        step,
    )
    return found


def _made(call, tensors, inputs):
    """What a call makes of tensors.

    Several images of any size need not go together at one size. Then what a call makes
    of them is of unknown size.
    """
    try:
        return call.make(tensors)
    except Exception as error:
        if len(inputs) > 1:
            return call.outputs
        raise ValueError(
            "Expected a model that takes images of the size that costs are counted "
            f"for. Received: {call.model.name!r}, of which {call.operation.name!r} "
            f"fails for an image of shape {_shape(inputs[0])} with "
            f"{type(error).__name__}: {error}. Pass a fitting `image_size=`."
        ) from error


def _sized(tensor, image_size):
    """The input tensor, with its unknown sizes filled in if it is an image."""
    if len(tensor.shape) != 4:
        return tensor
    shape = list(tensor.shape)
    open_axes = [axis for axis in range(1, len(shape)) if shape[axis] is None]
    sizes = image_size if len(open_axes) == 2 else (image_size[0],) * len(open_axes)
    for axis, size in zip(open_axes, sizes, strict=True):
        shape[axis] = size
    return keras.KerasTensor(shape, dtype=tensor.dtype)


def _shape(tensor):
    return tuple(tensor.shape[1:])


def _is_known(tensor):
    return None not in tensor.shape[1:]
