"""Poolings of known networks, to measure with."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PoolingShape:
    """A pooling of a known network.

    Attributes:
        name: Of the network and the layer.
        size: Height, width and number of channels of what it reads.
        window: Side of its windows, in pixels.
        stride: Step between them, in pixels.
        padding: `"valid"` or `"same"`.
    """

    name: str
    size: tuple[int, int, int]
    window: int
    stride: int
    padding: str = "valid"


POOLING_SHAPES = (
    PoolingShape("VGG16 block1_pool", (224, 224, 64), 2, 2),
    PoolingShape("VGG16 block2_pool", (112, 112, 128), 2, 2),
    PoolingShape("ResNet50 pool1_pool", (112, 112, 64), 3, 2, "same"),
    PoolingShape("InceptionV3 stem pool", (147, 147, 64), 3, 2),
    PoolingShape("InceptionV3 mixed3 pool", (35, 35, 288), 3, 2),
    PoolingShape("DenseNet121 pool3_pool", (28, 28, 256), 2, 2),
    PoolingShape("MobileNet conv_dw_2", (112, 112, 64), 2, 2),
    PoolingShape("MobileNet conv_dw_6", (28, 28, 256), 2, 2),
    PoolingShape("ResNet50 head", (7, 7, 2048), 7, 7),
)
