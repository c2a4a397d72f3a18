"""The command `keras-lap`: what all commands share, and those that show no maps."""

import csv
import importlib.metadata
import pathlib
import re
import subprocess
import sys

import keras
import numpy as np
import pytest
from backend_limits import shown_on_tensorflow
from fresh_process import fresh_python
from keras import layers, ops

import keras_lap
from keras_lap import cli
from keras_lap.cli import build, doctor, plan
from keras_lap.cli.main import COMMANDS
from keras_lap.cli.pooling_shapes import PoolingShape
from keras_lap.cli.time_pooling import time_pooling
from keras_lap.kernels import library
from keras_lap.kernels.build import BuildError
from keras_lap.ops import which

pytestmark = pytest.mark.jax_too


@pytest.fixture(scope="module")
def network():
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(2, 3, name="conv"),
            layers.MaxPooling2D(name="pool"),
            layers.GlobalAveragePooling2D(name="head"),
            layers.Dense(3, name="logits"),
        ],
        name="net",
    )


@pytest.fixture
def saved(network, tmp_path, monkeypatch):
    """Path of the network's file, in the folder that commands run in."""
    monkeypatch.chdir(tmp_path)
    network.save("net.keras")
    return "net.keras"


@shown_on_tensorflow
def test_entry_point_tells_of_failures_and_how_they_end(tmp_path):
    (entry,) = importlib.metadata.entry_points(
        group="console_scripts", name="keras-lap"
    )
    assert entry.load() is cli.main
    command = pathlib.Path(sys.executable).with_name("keras-lap")
    done = subprocess.run(
        [command, "plan", "missing.keras"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1] == (
        "keras-lap plan: Expected MODEL to be a file that exists. "
        "Received: 'missing.keras'"
    )
    assert "Traceback" not in done.stderr


WITHOUT_BACKEND = """
sys.modules[sys.argv[1]] = None
import keras_lap.cli
"""


def test_without_the_backend_of_keras_it_says_what_to_do():
    backend = keras.config.backend()
    done = subprocess.run(
        fresh_python(WITHOUT_BACKEND, backend), capture_output=True, text=True
    )
    told = done.stderr.splitlines()[-1]
    assert told.startswith("ImportError: Expected the backend of Keras to be installed")
    assert told.endswith(
        f"Install {backend}, or set KERAS_BACKEND to tensorflow, jax or torch, "
        "whichever is installed."
    )


# Keras on NumPy itself needs JAX.
WITH_ANOTHER_BACKEND = """
import keras
keras.config.backend = lambda: "numpy"
import keras_lap.cli
"""


@pytest.mark.torch_suffices
def test_with_another_backend_it_says_which_there_are():
    done = subprocess.run(
        fresh_python(WITH_ANOTHER_BACKEND), capture_output=True, text=True
    )
    assert done.stderr.splitlines()[-1] == (
        "ImportError: Expected Keras on TensorFlow, JAX or torch. Received: numpy. Set "
        "KERAS_BACKEND to one of the three before Keras is imported."
    )


def test_version(capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--version"])
    assert capsys.readouterr().out == f"keras-lap {keras_lap.__version__}\n"
    assert importlib.metadata.version("keras-lap") == keras_lap.__version__


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_help_of_each_command_shows_its_examples(command, capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main([command.name, "--help"])
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    examples = text.partition("examples:\n")[2]
    # As a shell joins lines.
    shown = re.sub(r"\\\n +", "", examples).splitlines()
    assert [line.strip() for line in shown] == list(command.examples)
    assert all(f"keras-lap {command.name}" in line for line in shown)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["plane"],
        ["plan"],
        ["plan", "net.keras", "--where", "nowhere"],
        ["plan", "net.keras", "--concepts", "many"],
        ["bench", "--rounds", "0"],
        ["convert", "net.keras"],
    ],
)
def test_a_wrong_command_line_ends_with_2(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        cli.main(arguments)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("usage: keras-lap")


def test_debug_shows_where_a_failure_came_from(capsys):
    with pytest.raises(FileNotFoundError, match="Expected MODEL"):
        cli.main(["plan", "missing.keras", "--debug"])


def test_an_unforeseen_failure_is_named(monkeypatch, saved, capsys):
    def fail(*arguments):
        raise KeyError("lost")

    monkeypatch.setattr(plan, "read_model", fail)
    assert cli.main(["plan", saved]) == 1
    assert capsys.readouterr().err == (
        "keras-lap plan: KeyError: 'lost' (--debug shows where)\n"
    )


def test_an_interrupt_is_no_failure(monkeypatch, saved, capsys):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(plan, "read_model", interrupt)
    assert cli.main(["plan", saved]) == 130
    assert capsys.readouterr().err == "keras-lap plan: interrupted\n"


def test_doctor_says_what_runs_and_tries_it(capsys):
    assert cli.main(["doctor"]) == 0
    states = dict(
        line.split(":", 1) for line in capsys.readouterr().out.splitlines() if line
    )
    states = {what: state.strip() for what, state in states.items()}
    assert states["Keras backend"] == keras.config.backend()
    assert states["keras"] == keras.__version__
    assert states["folders"].split(", ")[0] == str(
        pathlib.Path(keras_lap.__file__).parent
    )
    assert "cpu" in states["devices"]
    assert states["la_pool"] == str(which())
    if which().implementation == "reference":
        assert states["trial"] == "the reference runs"
    else:
        assert states["trial"].startswith("fused")
        assert float(states["trial"].rsplit(" ", 1)[1]) < 1e-6


def test_doctor_says_what_is_wrong_with_the_op_where_it_is_needed(monkeypatch, capsys):
    on_tensorflow = keras.config.backend() == "tensorflow"
    found = library.Library("broken.so" if on_tensorflow else None, "Missing.")
    monkeypatch.setattr(library, "find", lambda: found)
    monkeypatch.setattr(doctor, "library_obstacle", lambda: "It does not load.")
    assert cli.main(["doctor"]) == 0
    state = "It does not load." if on_tensorflow else "needs none"
    printed = capsys.readouterr().out
    assert re.search(rf"^TensorFlow op: .*{state}$", printed, re.MULTILINE)


def test_doctor_tells_of_a_trial_that_fails(monkeypatch, capsys):
    def fail(*args, **kwargs):
        raise RuntimeError("The driver is broken.")

    monkeypatch.setattr(doctor, "la_pool", fail)
    assert cli.main(["doctor"]) == 0
    assert "failed: The driver is broken." in capsys.readouterr().out


def test_build_passes_on_what_was_asked_for(monkeypatch):
    asked = []
    monkeypatch.setattr(build, "build", lambda **arguments: asked.append(arguments))
    assert cli.main(["build"]) == cli.main(["build", "--force"]) == 0
    assert asked == [{"force": False}, {"force": True}]


def test_a_failed_build_says_why(monkeypatch, capsys):
    def fail(**arguments):
        raise BuildError("There is no compiler.")

    monkeypatch.setattr(build, "build", fail)
    assert cli.main(["build"]) == 1
    assert capsys.readouterr().err == "keras-lap build: There is no compiler.\n"


def test_plan_prints_the_plan(saved, network, capsys):
    assert cli.main(["plan", saved, "--skip", "pool", "--concepts", "head=5"]) == 0
    expected = keras_lap.plan(network, skip=["pool"], concepts={"head": 5})
    assert capsys.readouterr().out == f"{expected}\n"


def test_plan_writes_a_table(saved, network):
    options = ["--concepts", "2", "--hidden", "4", "--csv", "tables/plan.csv"]
    assert cli.main(["plan", saved, *options]) == 0
    with open("tables/plan.csv", newline="") as file:
        written = list(csv.DictReader(file))
    rows = keras_lap.plan(network, concepts=2, hidden=4).rows
    assert [row["layer"] for row in written] == [row.layer for row in rows]
    assert [row["lap"] for row in written] == ["pool", "head"]
    assert [row["window"] for row in written] == ["2x2", ""]
    assert [float(row["score_gain"]) for row in written] == [
        row.score_gain for row in rows
    ]
    for cost in ("parameters", "activation_bytes"):
        assert [int(row[cost]) for row in written] == [
            getattr(row.cost, cost) for row in rows
        ]


def test_plan_finds_out_before_it_loads_a_model_that_a_table_exists(
    saved, monkeypatch, capsys
):
    pathlib.Path("plan.csv").touch()
    monkeypatch.setattr(plan, "read_model", None)
    assert cli.main(["plan", saved, "--csv", "plan.csv"]) == 1
    assert "plan.csv exists already" in capsys.readouterr().err


def test_plan_knows_the_networks_of_keras(monkeypatch, network, capsys):
    asked = []

    def make(weights):
        asked.append(weights)
        return network

    monkeypatch.setattr(keras.applications, "MobileNet", make)
    assert cli.main(["plan", "MobileNet"]) == 0
    assert cli.main(["plan", "MobileNet", "--weights", "imagenet"]) == 0
    assert asked == [None, "imagenet"]
    assert cli.main(["plan", "mobilenet"]) == 1
    assert "Did you mean ['MobileNet'" in capsys.readouterr().err


def test_plan_refuses_a_number_of_concepts_beside_others(saved, capsys):
    assert cli.main(["plan", saved, "--concepts", "2", "head=5"]) == 1
    assert "Expected one number of concepts for all" in capsys.readouterr().err


@shown_on_tensorflow
def test_convert_writes_a_model_that_computes_the_same(saved, network, rng, capsys):
    output = "lap/net.keras"
    assert cli.main(["convert", saved, "-o", output, "--detach-scores"]) == 0
    converted = keras.saving.load_model(output)
    laps = keras_lap.lap_layers(converted)
    assert [layer.name for layer in laps] == ["pool", "head"]
    assert all(layer.detach_scores for layer in laps)
    assert {layer.score_gain for layer in laps} == {10}
    options = ["--score-gain", "2.5", "--keep-max", "--force"]
    assert cli.main(["convert", saved, "-o", output, *options]) == 0
    laps = keras_lap.lap_layers(keras.saving.load_model(output))
    assert [layer.name for layer in laps] == ["pool_lap", "head"]
    assert {layer.score_gain for layer in laps} == {2.5}
    options = ["--preset", "places", "--hidden", "3", "--force"]
    assert cli.main(["convert", saved, "-o", output, *options]) == 0
    converted = keras.saving.load_model(output)
    for layer in keras_lap.lap_layers(converted):
        assert (layer.score_activation, layer.hidden) == ("ramp", 3)
        assert layer.detach_scores
    options = ["--preset", "places", "--no-detach-scores", "--force"]
    assert cli.main(["convert", saved, "-o", output, *options]) == 0
    converted = keras.saving.load_model(output)
    assert not any(layer.detach_scores for layer in keras_lap.lap_layers(converted))
    x = rng.normal(size=(2, 8, 8, 1)).astype("float32")
    computed = (ops.convert_to_numpy(model(x)) for model in (converted, network))
    np.testing.assert_allclose(*computed, rtol=1e-5, atol=1e-6)
    assert "Written to lap/net.keras" in capsys.readouterr().out


def test_what_is_there_already_is_written_over_only_by_force(saved, capsys):
    output = pathlib.Path("old.keras")
    output.write_text("precious")
    assert cli.main(["convert", saved, "-o", "old.keras"]) == 1
    assert "old.keras exists already; --force overwrites it" in capsys.readouterr().err
    assert output.read_text() == "precious"
    assert cli.main(["convert", saved, "-o", "old.keras", "--force"]) == 0
    assert keras_lap.lap_layers(keras.saving.load_model(output))


def test_a_failure_leaves_what_was_there(saved, capsys):
    output = pathlib.Path("old.keras")
    output.write_text("precious")
    arguments = ["convert", saved, "-o", "old.keras", "--force", "--skip", "poool"]
    assert cli.main(arguments) == 1
    assert "Did you mean ['pool'" in capsys.readouterr().err
    assert output.read_text() == "precious"
    assert sorted(map(str, pathlib.Path().iterdir())) == ["net.keras", "old.keras"]


@pytest.mark.parametrize(
    "output, reason",
    [("model.h5", "ends in .keras"), ("net.keras/x.keras", "net.keras")],
)
def test_convert_says_where_it_cannot_write(saved, output, reason, capsys):
    assert cli.main(["convert", saved, "-o", output]) == 1
    assert reason in capsys.readouterr().err


def test_the_layout_of_the_configuration_does_not_matter(capsys):
    small = PoolingShape("small", (8, 8, 4), 2, 2)
    keras.config.set_image_data_format("channels_first")
    try:
        assert cli.main(["doctor"]) == 0
        assert len(list(time_pooling([small], batch_size=1, rounds=1))) == 2
    finally:
        keras.config.set_image_data_format("channels_last")
    assert "failed" not in capsys.readouterr().out


def test_bench_prints_and_writes_ratios(tmp_path, capsys):
    path = tmp_path / "bench.csv"
    options = ["--shapes", "1", "--batch", "1", "--rounds", "3", "--csv", str(path)]
    assert cli.main(["bench", *options]) == 0
    rows = list(csv.DictReader(path.open()))
    assert [row["pass"] for row in rows] == ["forward", "forward, backward"]
    printed = capsys.readouterr().out.splitlines()[1:]
    for row, line in zip(rows, printed, strict=True):
        lower, median, upper = (
            float(row[f"ratio_{name}"]) for name in ("lower", "median", "upper")
        )
        assert 0 < lower <= median <= upper
        assert float(row["la_pool_ms"]) > 0
        shown = re.search(r"(\S+) +(\S+) to (\S+)$", line).groups()
        assert shown == (f"{median:.2f}", f"{lower:.2f}", f"{upper:.2f}")
