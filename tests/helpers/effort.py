"""How much is tried: a part by default, all of it with KERAS_LAP_THOROUGH=1."""

import math
import os
import random

THOROUGH = os.environ.get("KERAS_LAP_THOROUGH", "0") != "0"
_BACKEND = os.environ.get("KERAS_BACKEND", "tensorflow")
# JAX compiles every operation anew for every shape, which a property has many of.
_FEWER_ON_JAX, _FEWEST = (5, 2) if _BACKEND == "jax" else (1, 4)
_LEFT_OUT = {"thorough"}
if _BACKEND != "torch":
    _LEFT_OUT.add("torch_suffices")
if _BACKEND == "jax":
    _LEFT_OUT.add("slow_on_jax")


def examples(count):
    """How many examples of a property are tried, where `count` are thorough."""
    share = _FEWER_ON_JAX * (1 if THOROUGH else 4)
    return max(count // share, min(count, _FEWEST))


def left_out(items):
    """The set of those tests that their marks leave out.

    `thorough` leaves out the test, `slow_on_jax` leaves it out on JAX, `torch_suffices`
    on both other backends, where a step takes several times as long to build, unless it
    is marked as `tensorflow_too`. Of what is left, `one_in(n)` keeps an n-th of its
    cases, on JAX a fifth of these. Which ones is drawn at random, always the same, so
    that no argument keeps a single value.
    """
    families, found = {}, set()
    for item in items:
        marks = {mark.name for mark in item.iter_markers()}
        if _BACKEND == "tensorflow" and "tensorflow_too" in marks:
            marks.discard("torch_suffices")
        if marks & _LEFT_OUT:
            found.add(item)
            continue
        for mark in item.iter_markers("one_in"):
            family = (item.nodeid.partition("[")[0], *mark.args)
            families.setdefault(family, []).append(item)
    for (name, share), family in families.items():
        kept = math.ceil(len(family) / (share * _FEWER_ON_JAX))
        kept = random.Random(name).sample(family, kept)
        found |= set(family) - set(kept)
    return found
