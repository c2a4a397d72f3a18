"""Saved LAP layers compute the same in a process that knows only their file."""

import keras
import pytest
from backend_limits import ON_TENSORFLOW
from keras import layers
from layer_cases import CHANNELS, CONFIGURATIONS, LAYER_CASES, randomize
from tolerances import assert_identical

pytestmark = pytest.mark.jax_too


@pytest.mark.parametrize(
    "rank",
    [
        pytest.param(rank, marks=[] if is_usual else [pytest.mark.thorough])
        for rank, is_usual in ((1, False), (2, ON_TENSORFLOW), (3, False))
    ],
    ids="{}D".format,
)
def test_reloads_bit_identical_in_a_fresh_process(rng, call_in_fresh_process, rank):
    """The windowed and the global layer of a rank, in all configurations."""
    cases = [LAYER_CASES[f"{kind}LAPooling{rank}D"] for kind in ("", "Global")]
    inputs = keras.Input((*[None] * rank, CHANNELS))
    to_first = layers.Permute((rank + 1, *range(1, rank + 1)))
    outputs = {}
    for case in cases:
        for name, options in CONFIGURATIONS.items():
            layer = case.make(**options)
            first = layer.data_format == "channels_first"
            outputs[f"{case.layer.__name__} {name}"] = layer(
                to_first(inputs) if first else inputs
            )
    model = keras.Model(inputs, outputs)
    randomize(model, rng)
    x = cases[0].features(rng)
    expected, reloaded = model(x), call_in_fresh_process(model, x)
    assert reloaded.keys() == expected.keys()
    for name in expected:
        assert_identical(reloaded[name], expected[name])
