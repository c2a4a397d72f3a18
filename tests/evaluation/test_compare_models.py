"""Comparisons of a model with the one it was made from, and of costs."""

import math
import subprocess
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from compare_problem import CLASSES, COUNT, DATA, IMAGES, LABELS, MASKS, small_network
from fresh_process import fresh_python

import keras_lap
from keras_lap.evaluation import (
    compare,
    energy_in_mask,
)
from keras_lap.evaluation.comparison.costs import costs
from keras_lap.evaluation.explainers import (
    LAP,
    Edge,
    GradCAM,
    Occlusion,
)

pytest_plugins = ["compare_problem"]


@pytest.mark.usefixtures("eager")
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

    def test_targets_may_be_classes_of_ones_choice(self, model):
        several = DATA | {"label": np.ones((COUNT, CLASSES), int)}
        masks = np.zeros((*IMAGES.shape[:3], CLASSES), bool)
        masks[1:, 2:4, 3:5, 1] = True
        options = {"metrics": ["pointing_game"], "timing_rounds": 0}
        for given in (1, np.int64(1), np.full(COUNT, 1), [1] * COUNT):
            comparison = compare(
                model, several | {"mask": masks}, [LAP()], targets=given, **options
            )
            np.testing.assert_array_equal(comparison.targets["model"], [1] * COUNT)
            expected = LAP().explain(model, IMAGES, 1)
            maps = comparison.maps["model", "LAP"]
            np.testing.assert_allclose(maps, expected, rtol=1e-5)
            # Of this class the first image has no mask.
            assert comparison.rows[0]["left_out"] == 1
            assert comparison.accuracy == {}
        for wrong in (CLASSES, -1, [1], None, 1.0, "cat", np.eye(CLASSES)):
            with pytest.raises(ValueError, match=r"(?s)Expected.*Received"):
                compare(model, several, [LAP()], targets=wrong, **options)

    def test_masks_and_boxes_of_another_label_say_nothing_of_a_chosen_class(
        self, model
    ):
        metrics = ["pointing_game", "box_localisation"]
        boxes = np.tile([0.25, 0.25, 0.75, 0.75], (COUNT, 1, 1))
        masks = np.ones(IMAGES.shape[:3], bool)
        data = {"image": IMAGES, "label": LABELS, "mask": masks, "boxes": boxes}
        for target in range(CLASSES):
            comparison = compare(
                model, data, [Edge()], metrics, targets=target, timing_rounds=0
            )
            counts = [row["counted"] for row in comparison.rows]
            assert counts == [(target == LABELS).sum()] * 2

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

    def test_accuracy_below_chance(self, model):
        def warned_of(images, labels):
            data = {"image": images, "label": labels}
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                compare(model, data, [Edge()], ["sparsity"], timing_rounds=0)
            return [str(each.message) for each in told if "chance" in str(each.message)]

        wrong = (np.asarray(model(IMAGES)).argmax(axis=-1) + 1) % CLASSES
        # Of six that a fair coin decides, one in 64 has no right answer.
        assert not warned_of(IMAGES, wrong)
        (message,) = warned_of(np.repeat(IMAGES, 2, axis=0), np.repeat(wrong, 2))
        assert "model is 0.000, below the 0.333 of chance" in message

    def test_predictions_that_are_nan_are_wrong(self):
        model = keras.Sequential(
            [
                keras.Input((1, 1, 2)),
                keras.layers.Rescaling(1e30),
                keras.layers.Flatten(),
                keras.layers.Softmax(),
            ]
        )
        data = {"image": np.zeros((3, 1, 1, 2)), "label": [0, 0, 0]}
        data["image"][1] = 1e30
        with pytest.warns(UserWarning, match="1 of 3 .* the model are NaN.* index 1"):
            comparison = compare(model, data, [Edge()], ["sparsity"], timing_rounds=0)
        assert comparison.accuracy["model"] == pytest.approx(2 / 3)

    def test_outputs(self, original):
        x = original.get_layer("head").output
        inner = keras.layers.Dense(2, activation="softmax", name="second")
        both = keras.Model(original.inputs[0], [original.outputs[0], inner(x)])
        nested = keras.Model(original.inputs[0], [both.outputs[0], [both.outputs[1]]])
        expected = keras.Model(original.inputs[0], both.outputs[1])
        named = keras.Model(original.inputs[0], {"z": both.outputs[1]})
        predicted = expected(IMAGES).numpy().argmax(axis=-1)
        expected_maps = GradCAM().explain(expected, IMAGES, predicted)
        for network, output in (
            *((expected, None), (named, None), (named, "z")),
            *((both, 1), (both, "second"), (nested, "second")),
        ):
            comparison = compare(
                network,
                {"image": IMAGES},
                [GradCAM()],
                ["deletion"],
                output=output,
                timing_rounds=0,
            )
            maps = comparison.maps["model", "GradCAM"]
            np.testing.assert_array_equal(comparison.targets["model"], predicted)
            np.testing.assert_allclose(maps, expected_maps, rtol=1e-4)
        refused = (("third", "'second'"), (2, "from 0 to 1"), (1.0, "output=1.0"))
        for output, message in refused:
            with pytest.raises(ValueError, match=message):
                compare(both, DATA, [Edge()], output=output)
        with pytest.raises(ValueError, match="Received: 'third'"):
            compare(original, DATA, [Edge()], output="third")

    def test_several_inputs(self, original):
        image, age = keras.Input(IMAGES.shape[1:]), keras.Input((1,))
        model = keras.Model([image, age], original(image) * age)
        ages = np.ones((len(IMAGES), 1))
        with pytest.raises(ValueError, match=r"with 2 inputs. Wrap it in a model"):
            compare(model, {"image": [IMAGES, ages]}, [Edge()])
        for given in ([IMAGES, ages], {"image": IMAGES, "age": ages}):
            with pytest.raises(ValueError, match=r"images alone.*wrap it in a model"):
                compare(original, {"image": given}, [Edge()])

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


PEAKS = """
import numpy as np, tensorflow as tf
from keras_lap.evaluation.comparison.costs import costs

for zeros in (np.zeros, tf.zeros):
    calls = {
        "much": lambda: zeros(2**22, "float32") + 1,
        "less": lambda: zeros(2**20, "float32") + 1,
        "nothing": lambda: None,
    }
    found = [costs(calls, rounds=1) for _ in range(3)]
    # The least: a table of the interpreter's may grow meanwhile.
    print(*(min(each[name].peak_mib for each in found) for name in calls))
"""


class TestCosts:
    def test_calls_take_turns(self):
        calls = []
        costs({name: lambda name=name: calls.append(name) for name in "ab"}, rounds=9)
        first, *rounds, last = map("".join, zip(calls[::2], calls[1::2], strict=True))
        assert first == last == "ab" and len(rounds) == 9
        assert set(rounds) == {"ab", "ba"}

    def test_memory_is_that_of_the_call(self):
        """Also after calls that took more, of NumPy and of TensorFlow."""
        # In a process of its own: what others have left behind is freed at any time.
        printed = subprocess.check_output(fresh_python(PEAKS), text=True)
        peaks = np.array(printed.split(), float)
        for much, less, nothing in peaks.reshape(2, 3):
            assert 16 <= much < 33
            assert 4 <= less < 9
            assert nothing < 0.1

    def test_memory_that_cannot_be_measured(self, monkeypatch):
        monkeypatch.setattr(keras.backend, "backend", lambda: "numpy")
        (cost,) = costs({"nothing": lambda: None}, rounds=1).values()
        assert math.isnan(cost.peak_mib)

    def test_memory_that_tensorflow_does_not_count(self, monkeypatch):
        def refuse(device):
            raise ValueError(f"Cannot reset memory stats for device '{device}'")

        monkeypatch.setattr(tf.config.experimental, "reset_memory_stats", refuse)
        said = r"'CPU:0'\. On x86 CPUs.*TF_ENABLE_ONEDNN_OPTS is 1"
        with pytest.warns(UserWarning, match=said):
            (cost,) = costs({"nothing": lambda: None}, rounds=1).values()
        assert math.isnan(cost.peak_mib)
