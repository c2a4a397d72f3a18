"""Metrics of a comparison, and what becomes of explainers and metrics that fail."""

import functools
import math
import warnings

import keras
import numpy as np
import pytest
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
    row_of,
)

from keras_lap.evaluation import (
    Predictor,
    average_drop,
    compare,
    deletion,
    energy_in_mask,
    parameter_randomisation,
    pointing_game,
    road,
    stability,
)
from keras_lap.evaluation.comparison.metrics import METRICS, Metric
from keras_lap.evaluation.explainers import (
    Edge,
    Random,
)

pytestmark = pytest.mark.torch_too

pytest_plugins = ["compare_problem"]


class TestMetrics:
    def test_default_is_what_the_data_allow(self, model):
        pytest.importorskip("cv2", reason="box_localisation needs OpenCV")

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

    @pytest.mark.parametrize(
        "bound, better", [({"seed": 9}, False), ({"seed": 9, "order": "lerf"}, None)]
    )
    def test_what_a_partial_binds_is_the_users(self, bound, better):
        metric = Metric.of(functools.partial(road, **bound), "mine")
        assert metric.higher_is_better is better
        assert metric.needs == {"predict", "images", "maps", "targets"}
        seeds = Metric("mine", functools.partial(lambda maps, seed: [seed], seed=9))
        facts = {"maps": IMAGES[:1, ..., 0], "seed": 0}
        assert seeds.measure(facts).values == 9

    def test_what_never_moves_is_no_winner_by_any_name(self):
        metrics = "stability", stability, functools.partial(stability, noise=0.05)
        assert not any(Metric.of(metric, "mine").is_ranked for metric in metrics)
        assert Metric.of(deletion, "mine").is_ranked

    def test_insertion_and_deletion_take_few_steps_by_name(self):
        """Unless the function itself is given."""
        images = np.zeros((1, 48, 40, 1), "float32")

        def predict(images):
            return np.full((len(images), 1), 0.5)

        facts = {"predict": predict, "images": images, "maps": images[..., 0]}
        facts |= {"targets": 0, "batch_size": 16, "seed": 0}
        for metric, points in ((METRICS["deletion"], 33), (deletion, 41)):
            function = metric if metric is deletion else metric.name
            named = Metric.of(function, "named")
            assert len(named.measure(facts).curve.x) == points
            assert named.higher_is_better is False

    def test_what_is_put_in_the_place_of_what_is_removed(self, model):
        metrics = {
            "drop": average_drop,
            "deletion": functools.partial(deletion, step=16),
            "black": functools.partial(average_drop, baseline=0),
        }
        options = {"explainers": [Edge()], "metrics": metrics, "timing_rounds": 0}
        for baseline in (0.25, [0.1, 0.2, 0.3], "blur", lambda image: image[::-1]):
            comparison = compare(model, DATA, baseline=baseline, **options)
            given = IMAGES, comparison.maps["model", "Edge"]
            for name, metric in metrics.items():
                own = {} if name == "black" else {"baseline": baseline}
                targets = comparison.targets["model"]
                expected = metric(Predictor(model), *given, targets, **own).mean
                (row,) = [each for each in comparison.rows if each["metric"] == name]
                np.testing.assert_allclose(row["mean"], expected, rtol=1e-5)

    def test_where_it_makes_no_difference_what_is_removed(self):
        """As where black, with the preprocessing inside, is one of the classes."""
        inputs = keras.Input(IMAGES.shape[1:])
        rest = keras.layers.GlobalAveragePooling2D()(inputs)
        sure = keras.layers.Dense(
            CLASSES, activation="softmax", kernel_initializer="zeros"
        )(rest)
        model = keras.Model(inputs, sure)
        images = {"image": IMAGES}
        metrics = ["deletion", "average_drop"]
        for explainers, data, baseline, is_warned in (
            (["Edge", "Random", "CenterGaussian"], images, None, True),
            (["Edge", "Random", "CenterGaussian"], images, 0.5, False),
            (["Edge", "Random"], images, None, False),
            (["GradientInput", "VanillaGradients", "Occlusion"], images, None, False),
            # Of a model that is mostly wrong nothing is expected.
            (["Edge", "Random", "CenterGaussian"], DATA, None, False),
        ):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                compare(
                    model,
                    data,
                    explainers,
                    metrics,
                    baseline=baseline,
                    timing_rounds=0,
                )
            told = [str(each.message) for each in caught]
            told = [each for each in told if "whatever is removed" in each]
            assert len(told) == is_warned
            assert all(
                "deletion and average_drop no explainer" in each for each in told
            )

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
        told = [str(warning.message) for warning in caught]
        # On torch there is more to warn of.
        assert [text.split(" failed")[0] for text in told if "left out" in text] == [
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
        names = ["insertion", "pointing_game", "average_gain"]
        with pytest.warns(UserWarning) as caught:
            comparison = compare(
                logits, DATA, [Edge(), Random()], names, timing_rounds=0
            )
        (told,) = (each for each in caught if each.category is UserWarning)
        assert str(told.message).startswith(
            "insertion of 'Edge' on 'model' failed and is left out, as is what fails "
            "for the same reason: ValueError: Expected probabilities"
        )
        errors = [row["error"] is None for row in comparison.rows]
        assert errors == [False, True, False] * 2
