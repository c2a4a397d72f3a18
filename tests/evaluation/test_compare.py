"""Explainers beside each other: the table, what is compared and what is refused."""

import csv
import dataclasses
import itertools
import math

import numpy as np
import pytest
import tensorflow as tf
from compare_problem import (
    BOXES,
    CHEAP,
    CLASSES,
    COSTS,
    COUNT,
    DATA,
    IMAGES,
    LABELS,
    MASKS,
    SAME,
    TWO,
    row_of,
)

from keras_lap.evaluation import (
    Comparison,
    compare,
    insertion,
    pointing_game,
)
from keras_lap.evaluation.comparison.comparison import FIELDS
from keras_lap.evaluation.comparison.samples_to_compare import SamplesToCompare
from keras_lap.evaluation.explainers import (
    LAP,
    CenterGaussian,
    Edge,
    Random,
)

pytest_plugins = ["compare_problem"]


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
                assert row["is_ranked"] is False
            elif row["metric"] == "peak MiB per image":
                assert row["mean"] > 0

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
                row("b", "sparsity", 0, error="ValueError: no", **unknown),
            ]
        )
        counts = (
            "n = 21; pointing_game, energy: 14, 7 left out; "
            f"average_gain: 18 to 20, 1 to 3 left out; {COSTS[0]}: 8"
        )
        *_, first, second, _, last = comparison.to_markdown().splitlines()
        assert last == repr(comparison).splitlines()[-1] == counts
        assert first == "| model | a |" + " 1.000 |" * 5
        assert second == "| model | b | failed |  |  | 1.000 |  |"

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
        accuracy = f"Accuracy: {both.accuracy['model']:.3f} (model)."
        assert lines[:4] == [f"Comparison, {SAME}:", "", accuracy, ""]
        assert lines[5].split()[:2] == ["model", "LAP"]
        assert len(set(map(len, lines[4:7]))) == 1

    @pytest.mark.usefixtures("eager", "one_round")
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
            (IMAGES, tuple(LABELS)),
            (IMAGES, [*LABELS[:, None]]),
            [*zip(IMAGES, LABELS, strict=True)],
            ({"input": IMAGES}, LABELS),
            ({"image": IMAGES}, {"label": LABELS}),
            [({"input": IMAGES}, LABELS)],
        ],
    )
    def test_pairs_of_images_and_labels(self, pair):
        read = self.read(pair)
        np.testing.assert_array_equal(read.images, IMAGES)
        np.testing.assert_array_equal(read.labels, LABELS)
        assert read.masks is None and read.boxes is None

    @pytest.mark.parametrize("whole", [True, False])
    def test_labels_of_several_outputs_are_not_read(self, whole):
        pair = IMAGES, (LABELS, LABELS % 2)
        pairs = tf.data.Dataset.from_tensor_slices(pair)
        read = self.read(pair if whole else pairs)
        np.testing.assert_array_equal(read.images, IMAGES)
        assert read.labels is None
        assert self.read(pairs.batch(4)).labels is None

    def test_dicts_with_different_numbers_of_boxes(self):
        boxes = [np.full((1, 4), 0.5), np.full((3, 4), 0.25)]
        read = self.read(
            {"image": image, "boxes": each}
            for image, each in zip(IMAGES[:2], boxes, strict=True)
        )
        assert read.boxes.shape == (2, 3, 4)
        np.testing.assert_array_equal(read.boxes[0, 1:], -np.ones((2, 4)))
        np.testing.assert_array_equal(read.boxes[1], boxes[1])

    @pytest.mark.parametrize("concepts", [CLASSES, CLASSES + 2])
    def test_one_hot_labels_and_masks_of_concepts(self, concepts):
        masks = np.zeros((COUNT, 6, 6, concepts), "uint8")
        masks[..., LABELS[0] + 1] = 1
        masks[np.arange(COUNT), ..., LABELS] = 0
        masks[np.arange(COUNT), :3, :, LABELS] = 1
        read = self.read({"image": IMAGES, "label": np.eye(3)[LABELS], "mask": masks})
        np.testing.assert_array_equal(read.labels, np.eye(3)[LABELS])
        masks = read.masks_of(LABELS)
        assert masks[:, :6].all() and not masks[:, 6:].any()

    def test_boxes_and_masks_of_the_class_asked_for(self):
        boxes = np.full((2, 2, 4), 0.5)
        data = {"image": IMAGES[:2], "boxes": boxes, "box_concepts": [[0, 1], [1, -1]]}
        masks = np.zeros((2, 12, 12, CLASSES))
        masks[0, ..., 0] = masks[1, ..., 1] = 1
        samples = [
            {name: values[index] for name, values in (data | {"mask": masks}).items()}
            for index in range(2)
        ]
        samples[1]["boxes"] = boxes[1, :1]
        samples[1]["box_concepts"] = [1]
        for dataset, unknown in ((data | {"mask": masks}, 0.5), (samples, -1)):
            read = self.read(dataset)
            for targets in ([0, 1], [1, 1], [2, 5]):
                targets = np.array(targets)
                found = read.masks_of(targets).all(axis=(1, 2))
                np.testing.assert_array_equal(found, targets == [0, 1])
            found = read.boxes_of(np.array([0, 0]))[..., 0]
            np.testing.assert_array_equal(found, [[0.5, -1], [-1, unknown]])
        for labels in (LABELS[:2], np.eye(CLASSES)[:2]):
            read = self.read(data | {"label": labels})
            np.testing.assert_array_equal(read.box_concepts, [[0, 1], [1, 1]])
        boxes[1] = -1
        read = self.read(data | {"box_concepts": np.full((2, 2), CLASSES)})
        np.testing.assert_array_equal(read.box_concepts, [[CLASSES] * 2, [-1, -1]])

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

    @pytest.mark.parametrize("value", [0.3, np.nan])
    def test_masks_that_all_become_empty(self, value):
        with pytest.warns(UserWarning, match="masks of all 6 images are empty"):
            self.read(DATA | {"mask": np.full(MASKS.shape, value)})

    @pytest.mark.parametrize(
        "dataset, message",
        [
            ({"images": IMAGES}, r"the key 'image'.* Received keys \['images'\]"),
            ([{"images": IMAGES}], r"under \"image\".* Received: \['images'\]"),
            ({"image": IMAGES[0]}, "rank 4"),
            (DATA | {"mask": MASKS[:3]}, r"6 of each.*'mask' of shape \(3, 12, 12\)"),
            (DATA | {"box_concepts": LABELS}, r"one per box.*\(6,\), and.*\(6, 1, 4\)"),
            ({"image": IMAGES, "box_concepts": LABELS[:, None]}, "and no boxes"),
            (DATA | {"boxes": 12 * BOXES}, r"as shares.*\[3.0, 2.0, 8.0, 6.0\]"),
            (DATA | {"boxes": BOXES[:, 0]}, r"\(N, M, 4\).*boxes.shape=\(6, 4\)"),
            ([], "an empty one"),
            (
                [{"image": IMAGES[0]}, {"image": IMAGES[1, 1:]}],
                r"'image' of one shape.*\(12, 12, 3\), \(11, 12, 3\).*Resize them",
            ),
            ({"image": [IMAGES[0], IMAGES[1, 1:]]}, "'image' of one shape.*a list"),
            (
                tf.data.Dataset.from_generator(
                    lambda: iter([IMAGES[0], IMAGES[1, 1:]]),
                    output_signature=tf.TensorSpec((None, 12, 3)),
                ).batch(2),
                r"images of one size.*\[11,12,3\].*Resize",
            ),
            (
                tf.data.Dataset.from_tensor_slices(IMAGES).repeat(),
                r"repeats forever.*dataset.take\(n\)",
            ),
            ([IMAGES, LABELS], r"both, or.*\(6, 12, 12, 3\), \(6,\)\].*as a tuple"),
        ],
    )
    def test_bad_data(self, dataset, message):
        with pytest.raises(ValueError, match=message):
            self.read(dataset)

    def test_a_path_is_no_data(self):
        with pytest.raises(TypeError, match=r"the path 'scans'.*from_folders"):
            self.read("scans")


@pytest.mark.usefixtures("eager")
class TestArguments:
    @pytest.mark.parametrize(
        "options, message",
        [
            ({"targets": "true"}, "predicted"),
            ({"timing_rounds": 1.5}, "`timing_rounds` to be an integer of at least 0"),
            ({"batch_size": 0}, "`batch_size` to be a positive integer"),
            ({"seed": None}, "`seed` to be an integer of at least 0"),
            ({"explainers": [Edge(), Edge()]}, r"different names.*\['Edge', 'Edge'\]"),
            (
                {"dataset": DATA | {"mask": np.repeat(MASKS[..., None], 2, axis=-1)}},
                r"\(N, H, W, 3\) with one for each of the 3 classes.*masks of 2",
            ),
            (
                {"dataset": DATA | {"box_concepts": np.full((COUNT, 1), CLASSES)}},
                "box_concepts from 0 to 2.*Received: 3",
            ),
        ],
    )
    def test_bad_arguments(self, model, options, message):
        with pytest.raises(ValueError, match=message):
            compare(model, **{"dataset": DATA, **options})

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
