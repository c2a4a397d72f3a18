"""How much is tried: a part by default, all of it with KERAS_LAP_THOROUGH=1."""

import os
import random

import keras

THOROUGH = os.environ.get("KERAS_LAP_THOROUGH", "0") != "0"
# JAX compiles every operation anew for every shape, which a property has many of.
_FEWER_ON_JAX = 5 if keras.config.backend() == "jax" else 1


def examples(count):
    """How many examples of a property are tried, where `count` are thorough."""
    share = _FEWER_ON_JAX * (1 if THOROUGH else 4)
    return max(count // share, min(count, 4))


def thinned(items):
    """Tests without those that `thorough` and `one_in(n)` leave out, and these.

    Of the cases of one test every n-th is kept, on JAX of five times as many. Which, is
    drawn at random, always the same, so that no argument keeps a single value.
    """
    families, left_out = {}, set()
    for item in items:
        if item.get_closest_marker("thorough") is not None:
            left_out.add(item)
        mark = item.get_closest_marker("one_in")
        if mark is not None:
            family = (item.nodeid.partition("[")[0], mark.args[0] * _FEWER_ON_JAX)
            families.setdefault(family, []).append(item)
    for (name, share), family in families.items():
        kept = random.Random(name).sample(family, -(-len(family) // share))
        left_out |= set(family) - set(kept)
    return [item for item in items if item not in left_out], list(left_out)
