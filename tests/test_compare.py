"""Explainers beside each other."""

import csv
import dataclasses
import itertools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_lap
from keras_lap.evaluation import (
    Comparison,
    compare,
    deletion,
    energy_in_mask,
    insertion,
    parameter_randomisation,
    pointing_game,
)
from keras_lap.evaluation.comparison.comparison import FIELDS
from keras_lap.evaluation.comparison.cost import costs
from keras_lap.evaluation.comparison.metrics import METRICS, Metric
from keras_lap.evaluation.comparison.samples_to_compare import SamplesToCompare
from keras_lap.evaluation.explainers import (
    LAP,
    CenterGaussian,
    Edge,
    GradCAM,
    Occlusion,
    Random,
)

SAME, TWO = "same model", "LAP model against original model"
COSTS = ["seconds per image", "peak MiB per image"]
COUNT, CLASSES = 6, 3
IMAGES = np.random.default_rng(0).random((COUNT, 12, 12, 3)).astype("float32")
LABELS = np.array([0, 1, 2, 0, 1, 2])
MASKS = np.zeros((COUNT, 12, 12), bool)
MASKS[:, 3:8, 2:6] = True
BOXES = np.broadcast_to(np.array([3, 2, 8, 6]) / 12, (COUNT, 1, 4))
DATA = {"image": IMAGES, "label": LABELS, "mask": MASKS, "boxes": BOXES}
CHEAP = {name for name, metric in METRICS.items() if metric.is_cheap}


def small_network(data_format="channels_last"):
    shape = (12, 12, 3) if data_format == "channels_last" else (3, 12, 12)
    options = {"data_format": data_format}
    return keras.Sequential(
        [
            keras.Input(shape),
            keras.layers.Conv2D(4, 3, activation="relu", name="features", **options),
            keras.layers.GlobalAveragePooling2D(name="head", **options),
            keras.layers.Dense(CLASSES, activation="softmax", name="classes"),
        ]
    )


@pytest.fixture(scope="module")
def original():
    keras.utils.set_random_seed(3)
    return small_network()


@pytest.fixture(scope="module")
def model(original):
    """Not the same function as the original: the gate is open."""
    model = keras_lap.convert(original, concepts=CLASSES)
    for layer in keras_lap.lap_layers(model):
        layer.gate.assign(1.0)
    model.get_layer("classes").bias.assign([0.0, 1.0, 0.5])
    return model


@pytest.fixture(scope="module")
def both(model, original):
    return compare(
        model, DATA, [LAP(), Edge()], ["pointing_game", "insertion"], original
    )


def row_of(comparison, **wanted):
    (row,) = (row for row in comparison.rows if wanted.items() <= row.items())
    return row


class TestTable:
    def test_rows_of_both_protocols(self, both):
        found = [
            (row["protocol"], row["model"], row["explainer"], row["metric"])
            for row in both.rows
        ]
        metrics = ["pointing_game", "insertion", *COSTS]
        expected = [
            (SAME, "model", *each)
            for each in itertools.product(["LAP", "Edge"], metrics)
        ]
        expected += [(TWO, *key[1:]) for key in expected]
        # The original has no LAP layers.
        expected += [(TWO, "original", "Edge", metric) for metric in metrics]
        assert sorted(found) == sorted(expected)
        assert found == sorted(found, key=lambda key: key[0] != SAME)
        assert all(tuple(row) == FIELDS for row in both.rows)

    def test_values_are_those_of_the_metrics(self, both, model):
        predicted = model(IMAGES).numpy().argmax(axis=-1)
        maps = LAP().explain(model, IMAGES, predicted)
        np.testing.assert_allclose(both.maps["model", "LAP"], maps, rtol=1e-5)
        expected = {
            "pointing_game": pointing_game(maps, MASKS),
            "insertion": insertion(model, IMAGES, maps, predicted),
        }
        for name, result in expected.items():
            key = SAME, "model", "LAP", name
            np.testing.assert_allclose(
                both.results[key].values, result.values, rtol=1e-4, atol=1e-6
            )
            row = row_of(both, protocol=SAME, explainer="LAP", metric=name)
            assert row["mean"] == pytest.approx(result.mean, rel=1e-4)
            assert (row["low"], row["high"]) == pytest.approx(
                result.interval(), rel=1e-4
            )
            assert (row["counted"], row["left_out"]) == (COUNT, 0)
            assert row["higher_is_better"] is True and row["error"] is None

    def test_each_model_has_its_own_answers(self, both, model, original):
        for name, network in (("model", model), ("original", original)):
            predicted = network(IMAGES).numpy().argmax(axis=-1)
            np.testing.assert_array_equal(both.targets[name], predicted)
            assert both.accuracy[name] == np.mean(predicted == LABELS)
        assert (both.targets["model"] != both.targets["original"]).any()

    def test_curves(self, both):
        keys = [(c["protocol"], c["model"], c["explainer"]) for c in both.curves]
        assert len(keys) == len(set(keys)) == 5
        assert {curve["metric"] for curve in both.curves} == {"insertion"}
        curve = both.curves[0]
        key = tuple(
            curve[name] for name in ("protocol", "model", "explainer", "metric")
        )
        expected = both.results[key].curve
        np.testing.assert_array_equal(curve["x"], expected.x)
        np.testing.assert_array_equal(curve["y"], expected.mean)
        assert curve["y_name"] == expected.y_name

    def test_costs(self, both):
        for row in both.rows:
            if row["metric"] == "seconds per image":
                assert 0 < row["low"] <= row["mean"] <= row["high"]
                assert row["higher_is_better"] is False and row["counted"] == COUNT
            elif row["metric"] == "peak MiB per image":
                assert row["mean"] >= 0 or row["error"]

    def test_markdown(self, both):
        text = both.to_markdown()
        first, second = text.split("### ")[1:]
        assert first.startswith(f"{SAME}\n") and second.startswith(f"{TWO}\n")
        assert "do not compare the explanations of two models" in second
        assert f"Accuracy: {both.accuracy['model']:.3f} (model).\n" in first
        assert "| model | explainer | pointing_game ↑ | insertion ↑ |" in first
        row = row_of(both, protocol=SAME, explainer="LAP", metric="insertion")
        cell = f"{row['mean']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
        assert cell in first
        assert [line.split(" | ")[:2] for line in second.splitlines()[-5:-2]] == [
            ["| model", "LAP"],
            ["| model", "Edge"],
            ["| original", "Edge"],
        ]
        assert second.splitlines()[-2:] == ["", f"n = {COUNT}"]
        assert len({line.count("|") for line in first.splitlines() if "|" in line}) == 1

    def test_numbers_of_samples_are_told(self):
        """Where they differ, and what was not measured is no failure."""

        def row(explainer, metric, counted, left_out=0, **others):
            keys = {"protocol": SAME, "model": "model", "higher_is_better": None}
            keys |= {"mean": 1.0, "low": 1.0, "high": 1.0, "error": None}
            keys |= {"explainer": explainer, "metric": metric, "counted": counted}
            return keys | {"left_out": left_out} | others

        unknown = dict.fromkeys(("mean", "low", "high"), math.nan)
        comparison = Comparison(
            [
                row("a", "sparsity", 21),
                row("a", "pointing_game", 14, 7),
                row("a", "energy", 14, 7),
                row("a", "average_gain", 20, 1),
                row("b", "average_gain", 18, 3),
                row("a", COSTS[0], 8),
                row("a", COSTS[1], 8, error="No memory is known.", **unknown),
                row("b", "sparsity", 0, error="ValueError: no", **unknown),
            ]
        )
        counts = (
            "n = 21; pointing_game, energy: 14, 7 left out; "
            f"average_gain: 18 to 20, 1 to 3 left out; {COSTS[0]}: 8"
        )
        *_, first, second, _, last = comparison.to_markdown().splitlines()
        assert last == repr(comparison).splitlines()[-1] == counts
        assert first == "| model | a |" + " 1.000 |" * 5 + " - |"
        assert second == "| model | b | failed |  |  | 1.000 |  |  |"

    def test_names_do_not_end_cells_of_markdown(self, model):
        maps = {"a|b": lambda images, targets: images[..., 0]}
        comparison = compare(model, DATA, maps, {"c|d": lambda maps: maps[:, 0, 0]})
        text = comparison.to_markdown()
        assert "| a\\|b |" in text and "| c\\|d |" in text

    def test_explainers_that_all_fail_say_why(self, model):
        def broken(images, targets):
            raise RuntimeError("out of\nluck")

        with pytest.warns(UserWarning, match="maps of 'broken'"):
            comparison = compare(model, DATA, {"broken": broken}, ["sparsity"])
        why = "failed: RuntimeError: out of luck"
        wide = dataclasses.replace(
            comparison, rows=[comparison.rows[0] | {"error": "word " * 99}]
        )
        assert max(map(len, repr(wide).splitlines())) < 140
        text = comparison.to_markdown()
        assert "| model | explainer | maps |" in text
        assert text.endswith(f"| model | broken | {why} |")
        assert why in repr(comparison)

    def test_repr(self, both):
        lines = repr(both).splitlines()
        assert lines[:2] == [f"Comparison, {SAME}:", ""]
        assert lines[3].split()[:2] == ["model", "LAP"]
        assert len(set(map(len, lines[2:5]))) == 1

    def test_repr_of_many_metrics_is_not_wide(self, model):
        lines = repr(compare(model, DATA, [Random()])).splitlines()
        assert max(map(len, lines)) <= 100
        assert {name for name in CHEAP if any(name in line for line in lines)} == CHEAP

    def test_csv(self, both, tmp_path):
        both.to_csv(tmp_path / "rows.csv")
        with open(tmp_path / "rows.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["explainer"] for row in rows] == [
            row["explainer"] for row in both.rows
        ]
        assert [float(row["mean"]) for row in rows] == pytest.approx(
            [row["mean"] for row in both.rows], nan_ok=True
        )

    def test_frame(self, both):
        pytest.importorskip("pandas", reason="pandas is not installed")
        frame = both.to_frame()
        assert tuple(frame.columns) == FIELDS and len(frame) == len(both.rows)

    def test_frame_without_pandas(self, both, monkeypatch):
        monkeypatch.setitem(__import__("sys").modules, "pandas", None)
        with pytest.raises(ImportError, match=r"keras-lap\[evaluation\]"):
            both.to_frame()


class TestMetrics:
    def test_default_is_what_the_data_allow(self, model):
        def names(data):
            rows = compare(model, data, [Random()], timing_rounds=0).rows
            assert all(row["error"] is None for row in rows)
            return {row["metric"] for row in rows}

        assert names(DATA) == CHEAP
        of_masks = {
            "pointing_game",
            "energy_in_mask",
            "iou_over_thresholds",
            "iou_at_equal_area",
        }
        without_masks = {"image": IMAGES, "boxes": BOXES}
        assert names(without_masks) == CHEAP - of_masks
        assert names({"image": IMAGES}) == CHEAP - of_masks - {"box_localisation"}

    def test_names_and_callables(self, model):
        def brightness(maps, images, labels, seed):
            assert labels.tolist() == LABELS.tolist() and seed == 7
            return (maps * images.mean(axis=-1)).mean(axis=(1, 2))

        def near(maps, masks):
            return pointing_game(maps, masks, tolerance=100)

        near.higher_is_better = True
        comparison = compare(
            model,
            DATA,
            {"mine": lambda images, targets: images[..., 0]},
            {"bright": brightness, "near": near, "energy": "energy_in_mask"},
            seed=7,
            timing_rounds=0,
        )
        bright, close, energy = comparison.rows
        expected = (IMAGES[..., 0] * IMAGES.mean(axis=-1)).mean(axis=(1, 2))
        assert bright["mean"] == pytest.approx(expected.mean(), rel=1e-6)
        assert bright["higher_is_better"] is None
        assert (close["mean"], close["higher_is_better"]) == (1, True)
        expected = energy_in_mask(IMAGES[..., 0], MASKS).mean
        assert energy["mean"] == pytest.approx(expected, rel=1e-6)
        assert [row["metric"] for row in comparison.rows] == [
            "bright",
            "near",
            "energy",
        ]

    def test_a_function_has_to_give_a_value_for_each_image(self, model):
        with pytest.warns(UserWarning, match=f"for each of {COUNT} images.*: 1. Give"):
            comparison = compare(
                model,
                DATA,
                [Edge()],
                {"mean": lambda maps: [maps.mean()]},
                timing_rounds=0,
            )
        assert "one value for each" in comparison.rows[0]["error"]

    def test_insertion_and_deletion_take_few_steps_by_name(self):
        """Unless the function itself is given."""
        images = np.zeros((1, 48, 40, 1), "float32")

        def predict(images):
            return np.full((len(images), 1), 0.5)

        facts = {"predict": predict, "images": images, "maps": images[..., 0]}
        facts |= {"targets": 0, "batch_size": 16, "seed": 0}
        for metric, points in ((METRICS["deletion"], 33), (deletion, 41)):
            function = metric if metric is deletion else metric.name
            result = Metric.of(function, "named").measure(facts)
            assert len(result.curve.x) == points

    def test_checks_of_explainers_are_metrics_too(self, model):
        comparison = compare(
            model, DATA, [Edge()], ["parameter_randomisation"], timing_rounds=0
        )
        (result,) = comparison.results.values()
        expected = parameter_randomisation(model, IMAGES, 0, Edge())
        np.testing.assert_allclose(result.values, expected.values)
        assert len(comparison.curves) == 1

    @pytest.mark.parametrize(
        "metrics, message",
        [
            (["pointing"], r"Received: 'pointing'. Did you mean \['pointing_game'"),
            (
                [deletion],
                "a dict from names to functions. Received: <function deletion",
            ),
            (
                ["pointing_game"],
                r"with \['mask'\] for the metric 'pointing_game'.*with \['image'\]",
            ),
            (
                {"mine": lambda maps, depth: maps},
                r"'mine' to need no more than .*'masks'.*a function of \['depth'\]",
            ),
        ],
    )
    def test_bad_metrics(self, model, metrics, message):
        with pytest.raises(ValueError, match=message):
            compare(model, {"image": IMAGES}, [Edge()], metrics)

    def test_explainers_that_are_no_list(self, model):
        with pytest.raises(TypeError, match="`explainers` to be a list"):
            compare(model, DATA, Edge())

    @pytest.mark.parametrize(
        "explainers, name",
        [("Edge", "Edge"), (["Edge"], "Edge"), ({"mine": "Edge"}, "mine")],
    )
    def test_explainers_by_name(self, model, explainers, name):
        maps = compare(model, DATA, explainers, ["sparsity"], timing_rounds=0).maps
        np.testing.assert_array_equal(
            maps["model", name], Edge().explain(model, IMAGES, 0)
        )

    def test_unknown_name_of_an_explainer(self, model):
        with pytest.raises(ValueError, match=r"'GradCam'. Did you mean \['GradCAM'"):
            compare(model, DATA, ["GradCam"])

    def test_metric_of_another_type(self, model):
        with pytest.raises(TypeError, match="Expected a metric"):
            compare(model, DATA, [Edge()], {"mine": 3})


class TestFailures:
    def test_failing_explainer_leaves_the_others(self, model):
        def broken(images, targets):
            raise RuntimeError("out of luck")

        def endless(images, targets):
            return np.full(images.shape[:3], np.inf)

        with pytest.warns(UserWarning) as caught:
            comparison = compare(
                model,
                DATA,
                {"broken": broken, "endless": endless, "edge": Edge()},
                ["pointing_game", "energy_in_mask"],
            )
        assert [str(warning.message).split(" failed")[0] for warning in caught] == [
            "maps of 'broken' on 'model'",
            "maps of 'endless' on 'model'",
        ]
        row = row_of(comparison, explainer="broken")
        assert row["error"] == "RuntimeError: out of luck" and math.isnan(row["mean"])
        assert (
            "Expected finite maps" in row_of(comparison, explainer="endless")["error"]
        )
        edge = [row for row in comparison.rows if row["explainer"] == "edge"]
        assert [row["metric"] for row in edge] == [
            "pointing_game",
            "energy_in_mask",
            *COSTS,
        ]
        assert list(comparison.maps) == [("model", "edge")]
        assert "| model | broken | failed | failed |" in comparison.to_markdown()

    def test_explainer_of_all_images_alone_has_no_costs(self, model):
        images = np.concatenate([IMAGES, IMAGES])
        maps = images[..., 0]
        with pytest.warns(UserWarning, match="seconds per image of 'made' on 'model'"):
            comparison = compare(
                model,
                {"image": images},
                {"made": lambda images, targets: maps, "edge": Edge()},
                ["sparsity"],
            )
        assert row_of(comparison, explainer="made", metric="sparsity")["error"] is None
        row = row_of(comparison, explainer="made", metric=COSTS[0])
        assert "shape (8, 12, 12)" in row["error"] and math.isnan(row["mean"])
        assert row_of(comparison, explainer="edge", metric=COSTS[0])["mean"] > 0

    def test_original_that_does_not_fit_is_told_before_the_work(self, model):
        def never(images, targets):
            raise AssertionError("called")

        other = keras.Sequential(
            [keras.Input((5, 5, 3)), keras.layers.Flatten(), keras.layers.Dense(2)]
        )
        with pytest.raises(ValueError, match="expected axis -1 of input shape"):
            compare(model, DATA, {"never": never}, ["sparsity"], other)

    def test_failing_metric_leaves_the_others(self, model):
        def negative(maps):
            if maps.min() < 0:
                raise ValueError("negative")
            return maps.min(axis=(1, 2))

        with pytest.warns(UserWarning, match="negative of 'minus' on 'model' failed"):
            comparison = compare(
                model,
                DATA,
                {"minus": lambda images, targets: -images[..., 0], "edge": Edge()},
                {"negative": negative, "pointing_game": "pointing_game"},
                timing_rounds=0,
            )
        errors = [row["error"] for row in comparison.rows]
        assert errors == ["ValueError: negative", None, None, None]

    def test_probabilities_are_asked_for_by_the_metrics_that_need_them(self, original):
        logits = keras.Model(original.inputs[0], -9 * original.get_layer("head").output)
        with pytest.warns(UserWarning, match="Expected probabilities"):
            comparison = compare(
                logits, DATA, [Edge()], ["insertion", "pointing_game"], timing_rounds=0
            )
        assert [row["error"] is None for row in comparison.rows] == [False, True]


class TestModels:
    def test_default_explainers(self, model, original):
        def names(network):
            data = {"image": IMAGES[:1]}
            comparison = compare(network, data, metrics=["sparsity"], timing_rounds=0)
            assert all(row["error"] is None for row in comparison.rows)
            return [explainer for _, explainer in comparison.maps]

        others = [
            "GradCAM",
            "IntegratedGradients",
            "SmoothGrad",
            "VanillaGradients",
            "Occlusion",
            "Random",
            "CenterGaussian",
            "Edge",
        ]
        assert names(original) == others
        assert names(model) == ["LAP", *others]

    def test_callables_do_not_explain_the_original(self, model, original):
        comparison = compare(
            model,
            DATA,
            {"red": lambda images, targets: images[..., 0], "edge": Edge()},
            ["sparsity"],
            original,
            timing_rounds=0,
        )
        assert list(comparison.maps) == [
            ("model", "red"),
            ("model", "edge"),
            ("original", "edge"),
        ]

    def test_targets_may_be_the_labels(self, model):
        comparison = compare(
            model, DATA, [LAP()], ["sparsity"], targets="label", timing_rounds=0
        )
        np.testing.assert_array_equal(comparison.targets["model"], LABELS)
        expected = LAP().explain(model, IMAGES, LABELS)
        np.testing.assert_allclose(comparison.maps["model", "LAP"], expected, rtol=1e-5)
        for label in (None, np.ones((COUNT, CLASSES), int)):
            with pytest.raises(ValueError, match="Expected one label per image"):
                compare(model, DATA | {"label": label}, [LAP()], targets="label")

    def test_labels_that_are_not_known_or_one_hot(self, model):
        options = {"metrics": ["sparsity"], "timing_rounds": 0}
        data = {"image": IMAGES, "label": np.where(np.arange(COUNT) < 2, -1, LABELS)}
        comparison = compare(model, data, [Edge()], **options)
        predicted = comparison.targets["model"]
        assert comparison.accuracy["model"] == (predicted == LABELS)[2:].mean()
        with pytest.raises(ValueError, match="Received: 2 that are not known"):
            compare(model, data, [Edge()], targets="label", **options)
        data["label"] = np.full(COUNT, -1)
        assert not compare(model, data, [Edge()], **options).accuracy
        data["label"] = np.eye(CLASSES, dtype=int)[LABELS]
        comparison = compare(model, data, [Edge()], targets="label", **options)
        np.testing.assert_array_equal(comparison.targets["model"], LABELS)
        data["label"] = np.eye(CLASSES + 1, dtype=int)[LABELS]
        with pytest.raises(ValueError, match=rf"\(N, {CLASSES}\) for the {CLASSES} cl"):
            compare(model, data, [Edge()], **options)

    def test_outputs(self, original):
        x = original.get_layer("head").output
        inner = keras.layers.Dense(2, activation="softmax", name="second")
        both = keras.Model(original.inputs[0], [original.outputs[0], inner(x)])
        expected = keras.Model(original.inputs[0], both.outputs[1])
        for network, output in ((expected, None), (both, 1), (both, "second")):
            comparison = compare(
                network,
                {"image": IMAGES},
                [GradCAM()],
                ["deletion"],
                output=output,
                timing_rounds=0,
            )
            maps = comparison.maps["model", "GradCAM"]
            predicted = expected(IMAGES).numpy().argmax(axis=-1)
            np.testing.assert_array_equal(comparison.targets["model"], predicted)
            np.testing.assert_allclose(
                maps, GradCAM().explain(expected, IMAGES, predicted), rtol=1e-4
            )
        for output, message in (("third", "'second'"), (2, "from 0 to 1")):
            with pytest.raises(ValueError, match=message):
                compare(both, DATA, [Edge()], output=output)
        with pytest.raises(ValueError, match="Received: 'third'"):
            compare(original, DATA, [Edge()], output="third")

    def test_channels_first(self, original):
        first = small_network("channels_first")
        first.set_weights(original.get_weights())
        metrics = ["pointing_game", "deletion", "average_drop"]
        options = {"metrics": metrics, "timing_rounds": 0}
        found = compare(
            first,
            DATA | {"image": IMAGES.transpose(0, 3, 1, 2)},
            [GradCAM(data_format="channels_first")],
            data_format="channels_first",
            **options,
        )
        expected = compare(original, DATA, [GradCAM()], **options)
        for row, other in zip(found.rows, expected.rows, strict=True):
            assert row["error"] is None
            assert row["mean"] == pytest.approx(other["mean"], rel=1e-3)

    def test_layout_is_that_of_the_lap_layers(self):
        options = {"data_format": "channels_first"}
        network = keras.Sequential(
            [
                keras.Input((3, 12, 12)),
                keras_lap.GlobalLAPooling2D(concepts=CLASSES, **options),
                keras.layers.Dense(CLASSES, activation="softmax"),
            ]
        )
        data = {"image": IMAGES.transpose(0, 3, 1, 2), "mask": MASKS}
        red = {"red": lambda images, targets: images[:, 0]}
        metrics = ["energy_in_mask", "deletion"]
        rows = compare(network, data, red, metrics, timing_rounds=0).rows
        assert [row["error"] for row in rows] == [None, None]
        assert rows[0]["mean"] == pytest.approx(
            energy_in_mask(IMAGES[..., 0], MASKS).mean
        )

    def test_subclassed_models(self, original):
        """Whatever needs no graph of layers."""

        class Subclassed(keras.Model):
            def call(self, inputs):
                return original(inputs)

        options = {"metrics": ["deletion"], "timing_rounds": 0}
        explainers = [Occlusion(patch_size=6), Edge()]
        found, expected = (
            compare(each, DATA, explainers, **options)
            for each in (Subclassed(), original)
        )
        for row, other in zip(found.rows, expected.rows, strict=True):
            assert row["mean"] == pytest.approx(other["mean"], rel=1e-4)
        with pytest.warns(UserWarning, match="built Functional or Sequential"):
            compare(Subclassed(), DATA, [GradCAM()], **options)

    def test_single_output_for_two_classes(self):
        inputs = keras.Input((12, 12, 3))
        x = keras.layers.Dense(1)(keras.layers.Flatten()(inputs))
        one = keras.Model(inputs, keras.layers.Activation("sigmoid")(x))
        two = keras.Model(
            inputs, keras.layers.Softmax()(keras.ops.concatenate([-x / 2, x / 2], -1))
        )
        options = {"metrics": ["deletion", "average_drop"], "timing_rounds": 0}
        maps = {"red": lambda images, targets: images[..., 0]}
        data = {"image": IMAGES, "label": LABELS % 2}
        found, expected = (compare(each, data, maps, **options) for each in (one, two))
        assert found.accuracy == expected.accuracy
        np.testing.assert_array_equal(found.targets["model"], expected.targets["model"])
        for row, other in zip(found.rows, expected.rows, strict=True):
            assert row["mean"] == pytest.approx(other["mean"], rel=1e-4)


class TestData:
    def read(self, dataset):
        return SamplesToCompare.of(dataset, "channels_last")

    @pytest.mark.parametrize("batch", [None, 4])
    def test_data_sets(self, batch):
        """Of pairs, of which the second is a dict."""
        rest = {name: values for name, values in DATA.items() if name != "image"}
        dataset = tf.data.Dataset.from_tensor_slices((IMAGES, rest | {"id": LABELS}))
        read = self.read(dataset.batch(batch) if batch else dataset)
        np.testing.assert_array_equal(read.images, IMAGES)
        np.testing.assert_array_equal(read.labels, LABELS)
        np.testing.assert_array_equal(read.masks, MASKS)
        np.testing.assert_array_equal(read.boxes, BOXES)

    @pytest.mark.parametrize(
        "pair",
        [
            (IMAGES, LABELS),
            [*zip(IMAGES, LABELS, strict=True)],
            ({"input": IMAGES}, LABELS),
            [({"input": IMAGES}, LABELS)],
        ],
    )
    def test_pairs_of_images_and_labels(self, pair):
        read = self.read(pair)
        np.testing.assert_array_equal(read.images, IMAGES)
        np.testing.assert_array_equal(read.labels, LABELS)
        assert read.masks is None and read.boxes is None

    def test_dicts_with_different_numbers_of_boxes(self):
        boxes = [np.full((1, 4), 0.5), np.full((3, 4), 0.25)]
        read = self.read(
            {"image": image, "boxes": each}
            for image, each in zip(IMAGES[:2], boxes, strict=True)
        )
        assert read.boxes.shape == (2, 3, 4)
        np.testing.assert_array_equal(read.boxes[0, 1:], -np.ones((2, 4)))
        np.testing.assert_array_equal(read.boxes[1], boxes[1])

    def test_one_hot_labels_and_masks_of_concepts(self):
        masks = np.zeros((COUNT, 6, 6, CLASSES), "uint8")
        masks[np.arange(COUNT), :3, :, LABELS] = 1
        read = self.read({"image": IMAGES, "label": np.eye(3)[LABELS], "mask": masks})
        np.testing.assert_array_equal(read.labels, np.eye(3)[LABELS])
        assert read.masks[:, :6].all() and not read.masks[:, 6:].any()

    @pytest.mark.parametrize("batched", [True, False])
    def test_what_is_not_valid_is_unknown(self, batched):
        """As in training, where masks and boxes that are not valid may be anything."""
        flags = np.arange(COUNT) % 2 == 0
        data = DATA | {"valid": {"mask": flags, "boxes": ~flags}}
        if not batched:
            data = tf.data.Dataset.from_tensor_slices(data)
        read = self.read(data)
        np.testing.assert_array_equal(read.masks.any(axis=(1, 2)), flags)
        np.testing.assert_array_equal(read.boxes[~flags], BOXES[~flags])
        assert (read.boxes[flags] == -1).all()

    @pytest.mark.parametrize(
        "dataset, message",
        [
            ({"images": IMAGES}, r"the key 'image'.* Received keys \['images'\]"),
            ([{"images": IMAGES}], r"under \"image\".* Received: \['images'\]"),
            ({"image": IMAGES[0]}, "rank 4"),
            (DATA | {"mask": MASKS[:3]}, r"6 of each.*'mask' of shape \(3, 12, 12\)"),
            ([], "an empty one"),
        ],
    )
    def test_bad_data(self, dataset, message):
        with pytest.raises(ValueError, match=message):
            self.read(dataset)


class TestCosts:
    def test_calls_take_turns(self):
        calls = []
        costs({name: lambda name=name: calls.append(name) for name in "ab"}, rounds=3)
        assert "".join(calls) == "ab" + "ab" * 3 + "ab"

    @pytest.mark.parametrize("zeros", [np.zeros, tf.zeros])
    def test_memory_is_that_of_the_call(self, zeros):
        """Also after calls that took more."""
        found = costs(
            {
                "much": lambda: zeros(2**22, "float32") + 1,
                "less": lambda: zeros(2**20, "float32") + 1,
                "nothing": lambda: None,
            },
            rounds=1,
        )
        assert 16 <= found["much"].peak_mib < 33
        assert 4 <= found["less"].peak_mib < 9
        assert found["nothing"].peak_mib < 0.1

    def test_memory_that_cannot_be_measured(self, monkeypatch):
        monkeypatch.setattr(keras.backend, "backend", lambda: "numpy")
        (cost,) = costs({"nothing": lambda: None}, rounds=1).values()
        assert math.isnan(cost.peak_mib) and "TensorFlow" in cost.reason


class TestArguments:
    @pytest.mark.parametrize(
        "options, message",
        [
            ({"targets": "true"}, "predicted"),
            ({"timing_rounds": 1.5}, "`timing_rounds` to be an integer of at least 0"),
            ({"batch_size": 0}, "`batch_size` to be a positive integer"),
            ({"explainers": [Edge(), Edge()]}, r"different names.*\['Edge', 'Edge'\]"),
        ],
    )
    def test_bad_arguments(self, model, options, message):
        with pytest.raises(ValueError, match=message):
            compare(model, DATA, **options)

    def test_nothing_is_printed_and_the_model_stays(self, model, capsys):
        before = [weight.numpy() for weight in model.weights]
        compare(model, DATA, [LAP(), CenterGaussian()], ["deletion"], verbose=False)
        assert capsys.readouterr().out == ""
        for weight, value in zip(model.weights, before, strict=True):
            np.testing.assert_array_equal(weight, value)

    def test_progress_bar(self, model, capsys):
        compare(model, DATA, [Edge()], ["sparsity"], timing_rounds=0, verbose=True)
        assert "2/2" in capsys.readouterr().out

    def test_empty_comparison(self):
        assert Comparison([]).to_markdown() == repr(Comparison([])) == ""
