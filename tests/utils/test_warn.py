"""Warnings point at the line of a user, whatever lies between."""

import _thread
import functools
import threading
import warnings

import pytest

from keras_lap.utils.warn import saying_once, warn

LOOK = functools.partial(warn, "Look here.")


def through(name, *functions):
    """A function of a module of that name, which calls others."""
    module = {"__name__": name, "functions": functions}
    code = "def call():\n    for each in functions:\n        each()"
    exec(compile(code, f"{name}.py", "exec"), module)
    return module["call"]


@pytest.mark.parametrize(
    "names, where",
    [
        ([], None),
        (["keras_lap.callbacks", "keras.src.callbacks.callback_list"], None),
        (["keras", "torch.nn.modules.module", "tensorflow.python.eager"], None),
        (["jax._src.api", "keras_lap"], None),
        (["keras_lap", "my_callbacks", "keras.src.trainers.trainer"], "my_callbacks"),
        (["keras_lap", "keras_lapse", "keras"], "keras_lapse"),
        (["keras_lap", "keras_lap.cli.explain"], "keras_lap.cli.explain"),
    ],
)
def test_the_nearest_line_that_is_no_library(names, where):
    """Names of modules, the innermost first."""
    call = LOOK
    for name in names:
        call = through(name, call)
    with pytest.warns(UserWarning, match=r"Look here\.") as told:
        call()
    assert told[0].filename == (f"{where}.py" if where else __file__)


def test_the_outermost_line_where_all_is_library():
    done = threading.Event()
    call = through("keras", through("keras_lap", LOOK), done.set)
    with pytest.warns(UserWarning, match=r"Look here\.") as told:
        _thread.start_new_thread(call, ())
        assert done.wait(10)
    assert told[0].filename == "keras.py"


def test_what_is_said_once():
    @saying_once()
    def look(*messages):
        for message in messages:
            warn(message)

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        look("here", "there", "here")
        look("here")
        warn("here")
    assert [str(each.message) for each in told] == ["here", "there", "here", "here"]
    assert told[0].filename == __file__


def test_what_was_said_around_or_is_handed_on_is_not_said_again():
    said = set()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for number in range(2):
            with saying_once(said), saying_once():
                warn("here")
                warn(f"{number} times", topic="times")
    assert [str(each.message) for each in told] == ["here", "0 times"]
