"""Which concepts speak for a prediction, where and how strongly."""

from dataclasses import replace

import numpy as np
import pytest

from keras_lap import Explanation
from keras_lap.explanation import ConceptEvidence

NAMES = ["ear", "tail", "paw", "whisker"]
# Which of them speak for a cat, a dog and a fish.
CLASS_CONCEPTS = np.array([[1, 1, 0, 1], [1, 0, 1, 0], [0, 0, 0, 0]])


@pytest.fixture
def maps():
    maps = np.zeros((2, 10, 20, 4))
    maps[0, 2:5, 4:8, 0] = 0.3
    maps[0, 3, 6, 0] = 0.6
    maps[0, 0, 0, 0] = 0.29  # just under half of the peak
    maps[0, 9, 19, 1] = 0.5
    maps[0, 0, :, 2] = 0.2
    return maps


@pytest.fixture
def explanation(maps):
    return Explanation(
        maps,
        np.zeros((2, 10, 20, 3)),
        scores=[[0.7, 0.9, 0.2, 0], [0.1, 0.2, 0.3, 0.4]],
        predictions=[[0.6, 0.3, 0.1], [0.2, 0.3, 0.5]],
        concept_names=NAMES,
        class_names=["cat", "dog", "fish"],
        files=["a.png", "b.png"],
    )


@pytest.fixture
def told(explanation):
    return replace(explanation, class_concepts=CLASS_CONCEPTS)


def test_where_and_how_strong_each_concept_is(explanation):
    found = explanation.evidence(0)
    assert [one.name for one in found.concepts] == ["tail", "ear", "paw", "whisker"]
    tail, ear, paw, whisker = found.concepts
    assert ear == ConceptEvidence(
        concept=0,
        name="ear",
        score=pytest.approx(0.7),
        strength=pytest.approx(0.6),
        peak=(3, 6),
        box=(2, 4, 5, 8),
        area=12 / 200,
    )
    assert (tail.peak, tail.box, tail.area) == ((9, 19), (9, 19, 10, 20), 1 / 200)
    assert (paw.peak, paw.box, paw.area) == ((0, 0), (0, 0, 1, 20), 20 / 200)
    assert (whisker.peak, whisker.box, whisker.area) == (None, None, 0)


def test_without_knowing_which_concept_speaks_for_which_class(explanation):
    found = explanation.evidence(-2)
    assert (found.index, found.file) == (0, "a.png")
    assert (found.predicted, found.runner_up) == (0, 1)
    assert found.class_names == ("cat", "dog")
    assert found.outputs == pytest.approx((0.6, 0.3))
    assert found.for_predicted is found.for_runner_up is found.difference is None


def test_contrast_with_the_runner_up(told, maps):
    found = told.evidence(0)
    # Both have ears.
    assert [one.name for one in found.for_predicted] == ["tail", "whisker"]
    assert [one.name for one in found.for_runner_up] == ["paw"]
    of_cat, of_dog = maps[0][..., [0, 1, 3]].max(-1), maps[0][..., [0, 2]].max(-1)
    np.testing.assert_allclose(found.difference, of_cat - of_dog, rtol=1e-6)
    assert found.difference.dtype == np.float32


def test_class_without_concepts(told, maps):
    found = told.evidence(1)
    assert found.class_names == ("fish", "dog")
    assert found.for_predicted == []
    assert [one.name for one in found.for_runner_up] == ["paw", "ear"]
    np.testing.assert_allclose(
        found.difference, -maps[1][..., [0, 2]].max(-1), rtol=1e-6
    )


@pytest.fixture
def per_class(maps):
    return Explanation(
        maps,
        np.zeros((2, 10, 20, 3)),
        predictions=np.eye(4)[[1, 3]] + [0.3, 0, 0, 0],
        class_concepts=np.eye(4),
    )


def test_one_concept_per_class(per_class, maps):
    found = per_class.evidence(0)
    assert (found.predicted, found.runner_up) == (1, 0)
    assert [one.concept for one in found.for_predicted] == [1]
    assert [one.concept for one in found.for_runner_up] == [0]
    np.testing.assert_allclose(
        found.difference, maps[0, ..., 1] - maps[0, ..., 0], rtol=1e-6
    )
    # The concepts of an explanation may be any of the model's.
    found = replace(per_class, class_concepts=np.eye(4)[:, ::-1]).evidence(0)
    assert [one.concept for one in found.for_predicted] == [2]


def test_concepts_that_were_not_asked_for_leave_no_contrast(maps):
    options = {"predictions": [[1, 2, 0], [1, 0, 2]], "class_concepts": np.eye(3, 9)}
    explanation = Explanation(
        maps[..., :2], np.zeros((2, 10, 20, 3)), concepts=[1, 0], **options
    )
    found = explanation.evidence(0)
    assert [one.concept for one in found.for_predicted] == [1]
    np.testing.assert_allclose(
        found.difference, maps[0, ..., 0] - maps[0, ..., 1], rtol=1e-6
    )
    assert explanation.evidence(1).for_predicted is None


def test_without_predictions(maps):
    found = Explanation(maps, np.zeros((2, 10, 20, 3))).evidence(0)
    assert found.predicted is found.runner_up is found.file is None
    assert found.outputs == found.class_names == ()
    assert str(found).startswith("image 0\n\nwhat there is, by score:\n")


def test_prints_what_it_found(told):
    text = """\
image 0, a.png
predicted: cat (0.6)
runner-up: dog (0.3)

what there is, by score:
  concept  score  strength  peak        box                  area
  tail      0.90       0.5  (9, 19)     (9, 19, 10, 20)        0%
  ear       0.70       0.6  (3, 6)      (2, 4, 5, 8)           6%
  paw       0.20       0.2  (0, 0)      (0, 0, 1, 20)         10%
  whisker   0.00         0  -           -                      0%

for cat and not for dog:
  concept  score  strength  peak        box                  area
  tail      0.90       0.5  (9, 19)     (9, 19, 10, 20)        0%
  whisker   0.00         0  -           -                      0%

for dog and not for cat:
  concept  score  strength  peak        box                  area
  paw       0.20       0.2  (0, 0)      (0, 0, 1, 20)         10%"""
    assert str(told.evidence(0)) == text
    nothing = replace(told, class_concepts=CLASS_CONCEPTS[[2, 1, 0]]).evidence(0)
    assert "for cat and not for dog:\n  nothing\n" in str(nothing)


def test_says_that_every_map_is_zero(told):
    lines = str(told.evidence(1)).splitlines()
    said = "every map is zero: the prediction rests on no place that they show"
    assert lines[1:] == ["predicted: fish (0.5)", "runner-up: dog (0.3)", "", said]
    unpredicted = Explanation(np.zeros((1, 2, 2, 1)), np.zeros((1, 2, 2, 1)))
    assert str(unpredicted.evidence(0)).endswith("\n\nevery map is zero")


def test_prints_the_strongest_of_many():
    explanation = Explanation(np.ones((1, 2, 2, 30)), np.ones((1, 2, 2, 1)))
    lines = str(explanation.evidence(0)).splitlines()
    assert len(lines) == 3 + 1 + 5 + 1 and lines[-1] == "and 25 with lower scores"


@pytest.mark.parametrize("index", [2, -3])
def test_no_such_image(explanation, index):
    with pytest.raises(IndexError, match=f"one of 2 images. Received: {index}"):
        explanation.evidence(index)


@pytest.mark.parametrize("shape", [(3, 3), (2, 4), (4,)])
def test_class_concepts_that_do_not_fit(explanation, shape):
    with pytest.raises(ValueError, match=r"shape \(3, 4\+\), to fit.*Received"):
        replace(explanation, class_concepts=np.zeros(shape, int))


def test_the_one_concept_of_each_class(explanation):
    told = replace(explanation, class_concepts=[2, 0, 3])
    np.testing.assert_array_equal(told.class_concepts, np.eye(4)[[2, 0, 3]])
