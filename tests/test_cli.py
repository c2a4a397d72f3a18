"""The command `keras-lap`."""

import keras
import pytest

from keras_lap import cli, doctor
from keras_lap.kernels.build import BuildError
from keras_lap.ops import which


def test_doctor_says_what_runs_and_tries_it(capsys):
    assert cli.main(["doctor"]) == 0
    states = dict(
        line.split(":", 1) for line in capsys.readouterr().out.splitlines() if line
    )
    states = {what: state.strip() for what, state in states.items()}
    assert states["Keras backend"] == keras.config.backend()
    assert states["keras"] == keras.__version__
    assert states["la_pool"] == str(which())
    if which().implementation == "reference":
        assert states["trial"] == "the reference runs"
    else:
        assert states["trial"].startswith("fused")
        assert float(states["trial"].rsplit(" ", 1)[1]) < 1e-6


def test_doctor_tells_of_a_trial_that_fails(monkeypatch, capsys):
    def fail(*args, **kwargs):
        raise RuntimeError("The driver is broken.")

    monkeypatch.setattr(doctor, "la_pool", fail)
    assert cli.main(["doctor"]) == 0
    assert "failed: The driver is broken." in capsys.readouterr().out


def test_build_passes_on_what_was_asked_for(monkeypatch):
    asked = []
    monkeypatch.setattr(cli, "build", lambda **arguments: asked.append(arguments))
    assert cli.main(["build"]) == cli.main(["build", "--force"]) == 0
    assert asked == [{"force": False}, {"force": True}]


def test_a_failed_build_says_why(monkeypatch, capsys):
    def fail(**arguments):
        raise BuildError("There is no compiler.")

    monkeypatch.setattr(cli, "build", fail)
    assert cli.main(["build"]) == 1
    assert capsys.readouterr().err == "There is no compiler.\n"


def test_needs_a_command(capsys):
    with pytest.raises(SystemExit):
        cli.main([])
    assert "command" in capsys.readouterr().err
