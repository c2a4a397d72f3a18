"""Metrics against those of xplique and Quantus on the same inputs.

docs/metrics/parity.md says why they differ where they do. `make parity` installs them.
"""

import numpy as np
import pytest
from parity import import_or_skip

from keras_lap.evaluation import (
    complexity,
    energy_in_mask,
    iou_at_equal_area,
    pointing_game,
    sparsity,
)

COUNT, SIZE = 12, 16


@pytest.fixture(scope="module")
def quantus():
    return import_or_skip("quantus")


@pytest.fixture(scope="module")
def xplique():
    return import_or_skip("xplique.metrics")


@pytest.fixture
def masks():
    masks = np.zeros((COUNT, SIZE, SIZE), dtype=bool)
    for number, mask in enumerate(masks):
        mask[number % 5 : 9, 2 : 6 + number % 7] = True
    return masks


@pytest.fixture
def maps(masks):
    """Maps without ties that favour the masks, some of their values negative."""
    return np.random.default_rng(0).normal(masks, 1)


@pytest.fixture
def tied():
    """Maps of ones and zeros; Quantus refuses those that are the same everywhere."""
    return np.tile([1.0, 0.0], (COUNT, SIZE, SIZE // 2))


@pytest.fixture
def ask(quantus):
    """What a metric of Quantus says, `(N,)`."""

    def ask(name, maps, masks=None, **options):
        metric = getattr(quantus, name)(
            disable_warnings=True, display_progressbar=False, **options
        )
        scores = metric(
            model=None,
            x_batch=np.zeros((len(maps), 1, *maps.shape[1:])),
            y_batch=np.zeros(len(maps), dtype=int),
            a_batch=maps[:, None].copy(),
            s_batch=None if masks is None else masks[:, None],
            channel_first=True,
        )
        return np.asarray(scores, dtype=float)

    return ask


class TestPointingGame:
    def test_same_without_ties(self, ask, maps, masks):
        values = pointing_game(maps, masks).values
        assert 0 < values.mean() < 1
        np.testing.assert_array_equal(ask("PointingGame", maps, masks), values)

    def test_their_ties_are_hits(self, ask, tied, masks):
        assert ask("PointingGame", tied, masks).mean() == 1
        assert pointing_game(tied, masks).mean < 1

    def test_their_empty_masks_are_hits(self, ask, maps, masks):
        none = np.zeros_like(masks)
        assert ask("PointingGame", maps, none).mean() == 1
        assert pointing_game(maps, none).left_out == COUNT


class TestEnergyInMask:
    def test_same_as_attribution_localisation(self, ask, maps, masks):
        theirs = ask(
            "AttributionLocalisation",
            maps,
            masks,
            positive_attributions=True,
            abs=False,
        )
        values = energy_in_mask(maps, masks).values
        # They add 1e-9 to the sum of each map.
        np.testing.assert_allclose(theirs, values, rtol=1e-9)

    def test_same_as_relevance_mass_where_nothing_is_negative(self, ask, maps, masks):
        positive = np.maximum(maps, 0)
        values = energy_in_mask(maps, masks).values
        theirs = ask("RelevanceMassAccuracy", positive, masks)
        np.testing.assert_allclose(theirs, values, rtol=1e-12)
        assert not np.allclose(ask("RelevanceMassAccuracy", maps, masks), values)

    def test_empty_masks_are_left_out_by_both(self, ask, maps, masks):
        masks[3] = False
        for name in ("AttributionLocalisation", "RelevanceMassAccuracy"):
            missing = np.isnan(ask(name, np.abs(maps), masks))
            np.testing.assert_array_equal(np.flatnonzero(missing), [3])
        assert energy_in_mask(maps, masks).left_out == 1


class TestIouAtEqualArea:
    def test_same_as_relevance_rank_accuracy(self, ask, maps, masks):
        rank_accuracy = ask("RelevanceRankAccuracy", maps, masks)
        values = iou_at_equal_area(maps, masks).values
        expected = rank_accuracy / (2 - rank_accuracy)
        np.testing.assert_allclose(values, expected, rtol=1e-12)

    def test_their_ties_are_broken_by_place(self, ask, tied, masks):
        upside_down = masks[:, ::-1]
        theirs = ask("RelevanceRankAccuracy", tied, masks)
        assert not np.allclose(ask("RelevanceRankAccuracy", tied, upside_down), theirs)
        np.testing.assert_array_equal(
            iou_at_equal_area(tied, upside_down).values,
            iou_at_equal_area(tied, masks).values,
        )


class TestSparsity:
    def test_same_as_quantus(self, ask, maps):
        # They divide by the maximum and add 1e-7 to every pixel.
        values = sparsity(maps).values
        np.testing.assert_allclose(ask("Sparseness", maps), values, atol=1e-6)

    def test_same_as_xplique(self, xplique, maps):
        theirs = xplique.Sparseness().detailed_evaluate(maps)
        # In single precision.
        np.testing.assert_allclose(theirs, sparsity(maps).values, atol=1e-6)

    def test_zeros(self, ask, xplique, maps):
        maps[3] = 0
        assert ask("Sparseness", maps)[3] == pytest.approx(0, abs=1e-12)
        theirs = xplique.Sparseness().detailed_evaluate(maps)[3]
        assert theirs == pytest.approx(-(SIZE**2 + 1) / SIZE**2, rel=1e-6)
        assert np.isnan(sparsity(maps).values[3])


class TestComplexity:
    def test_same_as_quantus(self, ask, maps):
        values = complexity(maps).values
        # They add 1e-12 in the logarithm.
        np.testing.assert_allclose(ask("Complexity", maps), values, rtol=1e-9)

    def test_same_as_xplique(self, xplique, maps):
        theirs = xplique.Complexity().detailed_evaluate(maps)
        # In single precision, with 1e-8 in the logarithm.
        np.testing.assert_allclose(theirs, complexity(maps).values, rtol=1e-6)

    def test_zeros(self, ask, xplique, maps):
        maps[3] = 0
        with np.errstate(invalid="ignore"):
            assert np.isnan(ask("Complexity", maps)[3])
        assert xplique.Complexity().detailed_evaluate(maps)[3] == 0
        assert np.isnan(complexity(maps).values[3])
