"""LAP layers are found by their names and by the paths to them."""

import keras
import pytest
from keras import layers

from keras_lap import LAPooling2D, lap_layers
from keras_lap.graph.find_layers import find_layers


class Block(layers.Layer):
    def __init__(self):
        super().__init__(name="block")
        self.pool = LAPooling2D(1, name="pool")

    def call(self, x):
        return self.pool(x)


@pytest.fixture(scope="module")
def model():
    """LAP layers by the paths `pool`, `left/pool`, `right/pool`, `right/block/pool`."""
    x = keras.Input((2, 2, 1))
    left = keras.Sequential([x, LAPooling2D(1, name="pool")], name="left")
    right = keras.Sequential([x, LAPooling2D(1, name="pool"), Block()], name="right")
    return keras.Sequential([x, LAPooling2D(1, name="pool"), left, right])


@pytest.mark.parametrize(
    "addresses, expected",
    [
        ("pool", [0, 1, 2, 3]),
        ("left/pool", [1]),
        (["right/block/pool", "left/pool"], [1, 3]),
        (("right/pool",), [2]),
    ],
)
def test_by_name_and_by_path(model, addresses, expected):
    every = lap_layers(model)
    found = find_layers(model, addresses, every)
    assert [every.index(layer) for layer in found] == expected


def test_only_among_the_layers_to_choose_from(model):
    every = lap_layers(model)
    assert find_layers(model, "pool", every[1:2]) == every[1:2]
    with pytest.raises(ValueError, match=r"Received: 'right/pool'.*'left/pool'"):
        find_layers(model, "right/pool", every[1:2])


def test_a_shared_layer_has_several_paths():
    x, shared = keras.Input((2, 2, 1)), LAPooling2D(1, name="pool")
    stages = [keras.Sequential([x, shared], name=name) for name in "ab"]
    model = keras.Sequential([x, *stages])
    for address in ("pool", "a/pool", "b/pool"):
        assert find_layers(model, address, [shared]) == [shared]


@pytest.mark.torch_suffices
def test_layers_inside_of_others_are_in_order():
    class Net(keras.Model):
        def __init__(self, backbone):
            super().__init__()
            self.backbone = backbone

        def call(self, x):
            return self.backbone(x)

    names = ["first", "second", "third"]
    backbone = keras.Sequential(
        [keras.Input((8, 8, 1)), *(LAPooling2D(2, name=name) for name in names)]
    )
    inputs = keras.Input((2, 8, 8, 1))
    wrapped = keras.Model(inputs, layers.TimeDistributed(backbone)(inputs))
    for model in (Net(backbone), wrapped):
        assert [layer.name for layer in lap_layers(model)] == names
