"""The benchmark of training steps writes a row for each comparison."""

import csv

import keras
import pytest

from keras_lap.utils.paired_rounds import QUARTILES


def tiny_network(input_shape, weights, classes):
    assert weights is None
    return keras.Sequential(
        [
            keras.Input(input_shape),
            keras.layers.MaxPooling2D(),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(classes, activation="softmax"),
        ]
    )


@pytest.mark.parametrize(
    "options", [pytest.param([], marks=pytest.mark.thorough), ["--first"]]
)
def test_rows(options, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(keras.applications, "Tiny", tiny_network, raising=False)
    import training_cost

    path = tmp_path / "cost.csv"
    size = ["--size", "8", "--classes", "3", "--batch", "2", "--rounds", "1"]
    training_cost.main(["--networks", "Tiny", *size, "--csv", str(path), *options])
    rows = list(csv.DictReader(path.open()))
    compared = [(row["model"], row["over"]) for row in rows]
    assert compared == [
        ("converted", "original"),
        ("with knowledge", "converted"),
        ("with knowledge", "original"),
    ]
    for row in rows:
        assert row["layers"] == "2"
        assert float(row["milliseconds"]) > 0
        assert all(float(row[name]) > 0 for name in QUARTILES)
    assert capsys.readouterr().out.count("| Tiny | 2 |") == 3
