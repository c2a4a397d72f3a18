"""The object that `explain` returns, made by hand."""

import dataclasses
import sys

import numpy as np
import pytest

from keras_lap import Explanation

CONCEPTS = ("ear", "tail", "paw")


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return {
        "maps": rng.random((5, 6, 8, 3)),
        "images": rng.integers(0, 256, (5, 6, 8, 3), dtype=np.uint8),
        "scores": rng.random((5, 3)),
        "predictions": rng.random((5, 3)),
        "labels": np.array([2, 1, 0, 0, 1]),
        "masks": rng.integers(0, 2, (5, 6, 8)),
        "class_concepts": np.eye(3),
        "concept_names": CONCEPTS,
        "class_names": ("cat", "dog", "owl"),
        "files": [f"folder/{index}.png" for index in range(5)],
        "layers": ("pool",),
        "combine": "mean",
    }


@pytest.fixture
def explanation(arrays):
    return Explanation(**arrays)


def assert_equal(first, second):
    for name in Explanation.__dataclass_fields__:
        values = [getattr(one, name) for one in (first, second)]
        np.testing.assert_array_equal(*values, err_msg=name)
        assert type(values[0]) is type(values[1])
        if isinstance(values[0], np.ndarray):
            assert values[0].dtype == values[1].dtype


def test_arrays_have_their_dtypes_and_cannot_be_written(explanation, arrays):
    dtypes = {"maps": "f4", "scores": "f4", "predictions": "f4", "images": "u1"}
    for name, dtype in {**dtypes, "masks": "?", "class_concepts": "?"}.items():
        array = getattr(explanation, name)
        assert array.dtype == dtype
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    with pytest.raises(AttributeError):
        explanation.combine = "flow"


def test_what_is_left_out():
    maps = np.zeros((2, 4, 4, 3))
    maps[1, 2, 3, 0] = 0.5
    explanation = Explanation(maps, np.zeros((2, 4, 4, 1)), concepts=(4, 7, 9))
    assert explanation.concepts == [4, 7, 9]
    assert explanation.concept_names == ["concept 4", "concept 7", "concept 9"]
    assert explanation.scores.tolist() == [[0, 0, 0], [0.5, 0, 0]]
    for name in ("predictions", "outputs", "predicted", "labels", "masks", "files"):
        assert getattr(explanation, name) is None
    assert "combine" not in repr(explanation) and "with" not in repr(explanation)


def test_some_of_the_images(explanation):
    chosen = np.array([True, False, True, False, True])
    for index, places in (
        (slice(1, 3), [1, 2]),
        ([3, 0], [3, 0]),
        (np.array([4, 4]), [4, 4]),
        (chosen, [0, 2, 4]),
        (-1, [4]),
        (np.int64(2), [2]),
        ([], []),
    ):
        part = explanation[index]
        assert len(part) == len(places)
        for name in ("maps", "images", "scores", "predictions", "labels", "masks"):
            expected = getattr(explanation, name)[places]
            np.testing.assert_array_equal(getattr(part, name), expected)
        assert part.files == [explanation.files[place] for place in places]
        assert part.concept_names == list(CONCEPTS) and part.combine == "mean"
    assert [len(one) for one in explanation] == [1] * 5
    for index in (5, -6):
        with pytest.raises(IndexError):
            explanation[index]


def test_it_is_no_array(explanation):
    with pytest.raises(TypeError, match=r"Index `explanation.maps`"):
        explanation[..., 0]
    with pytest.raises(TypeError, match="take its `maps`"):
        np.asarray(explanation)


def test_maps_of_concepts(explanation):
    maps = explanation.maps
    for one in (1, "tail", np.int64(1)):
        np.testing.assert_array_equal(explanation.of(one), maps[..., 1])
    expected = maps[np.arange(5), ..., explanation.labels]
    for many in (
        explanation.labels,
        explanation.labels.tolist(),
        ["paw", "tail", "ear", "ear", "tail"],
    ):
        np.testing.assert_array_equal(explanation.of(many), expected)


def test_maps_of_concepts_by_their_indices_in_the_model(arrays):
    arrays |= {"concepts": [4, 9, 2], "class_concepts": None}
    explanation = Explanation(**arrays)
    maps = explanation.of([9, 2, 2, 4, 9])
    np.testing.assert_array_equal(
        maps, explanation.maps[np.arange(5), ..., [1, 2, 2, 0, 1]]
    )
    order = np.array([4, 9, 2])[np.argsort(-explanation.scores, axis=-1)]
    np.testing.assert_array_equal(explanation.top(2), order[:, :2])
    np.testing.assert_array_equal(explanation.top(9), order)


def test_at_least_one_concept_is_the_strongest(explanation):
    with pytest.raises(ValueError, match="Received: k=0"):
        explanation.top(0)


def test_maps_of_the_prediction(explanation, arrays):
    predicted = arrays["predictions"].argmax(axis=-1)
    np.testing.assert_array_equal(explanation.predicted, predicted)
    np.testing.assert_array_equal(explanation.of(), explanation.of(predicted))
    # Of several concepts that speak for a class the strongest is shown.
    speaks = np.array([[1, 1, 0], [1, 1, 0], [1, 1, 0]])
    both = Explanation(**arrays | {"class_concepts": speaks})
    strongest = explanation.scores[:, :2].argmax(axis=-1)
    np.testing.assert_array_equal(both.of(), explanation.of(strongest))
    strongest = explanation.scores.argmax(axis=-1)
    for without in ({"class_concepts": None}, {"class_concepts": np.zeros((3, 3))}):
        maps = Explanation(**arrays | without).of()
        np.testing.assert_array_equal(maps, explanation.of(strongest))


@pytest.mark.parametrize(
    "predictions, outputs, predicted",
    [
        ([[0.2], [0.7]], [[0.8, 0.2], [0.3, 0.7]], [0, 1]),
        ([[-3.0], [2.0]], [[0, -3], [0, 2]], [0, 1]),
    ],
)
def test_one_output_for_two_classes(predictions, outputs, predicted):
    explanation = Explanation(
        np.ones((2, 4, 4, 1)), np.ones((2, 4, 4, 1)), predictions=predictions
    )
    np.testing.assert_allclose(explanation.outputs, outputs, rtol=1e-6)
    assert explanation.predicted.tolist() == predicted
    # What they are is no matter of which of them are looked at.
    logits = Explanation(
        np.ones((2, 4, 4, 1)), np.ones((2, 4, 4, 1)), predictions=[[-3.0], [0.2]]
    )
    assert logits[1:].outputs.tolist() == logits.outputs[1:].tolist()
    assert logits[1:].predicted.tolist() == [1]


@pytest.mark.parametrize("name", ["all", "least"])
def test_saving_and_loading(tmp_path, arrays, name):
    if name == "least":
        arrays = {"maps": arrays["maps"], "images": arrays["images"]}
    explanation = Explanation(**arrays)
    path = explanation.save(tmp_path / "saved")
    assert path == tmp_path / "saved.npz" and list(tmp_path.iterdir()) == [path]
    assert_equal(Explanation.load(path), explanation)
    assert_equal(Explanation.load(tmp_path / "saved"), explanation)
    with np.load(path, allow_pickle=False) as file:
        assert {"maps", "images", "concept_names"} <= set(file.files)
    other = explanation.save(str(tmp_path / "v1.dat"))
    assert_equal(Explanation.load(other), explanation)


def test_saving_that_fails_leaves_what_was_there(tmp_path, explanation, monkeypatch):
    path = explanation[:2].save(tmp_path / "saved.npz")

    def fail(file, **arrays):
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(OSError, match="disk full"):
        explanation.save(path)
    assert_equal(Explanation.load(path), explanation[:2])
    assert list(tmp_path.iterdir()) == [path]


def test_saving_and_drawing_without_the_folder(tmp_path, explanation):
    for write in (explanation.save, lambda path: explanation.plot(path=path)):
        with pytest.raises(FileNotFoundError, match=r"no folder '.*missing'. Make it"):
            write(tmp_path / "missing" / "e")


def test_drawing_no_image(explanation):
    with pytest.raises(ValueError, match=r"one image to draw. Received.* of 0 images"):
        explanation[:0].plot()


def test_files_of_other_kinds_are_not_loaded(tmp_path):
    with pytest.raises(FileNotFoundError):
        Explanation.load(tmp_path / "none.npz")
    paths = [tmp_path / name for name in ("text.npz", "array.npz", "other.npz")]
    paths[0].write_text("text")
    with paths[1].open("wb") as file:
        np.save(file, np.ones(3))
    np.savez(paths[2], x=np.ones(3))
    for path in paths:
        with pytest.raises(ValueError, match=r"written by `Explanation.save`.*npz'"):
            Explanation.load(path)


def test_what_it_looks_like(explanation):
    assert repr(explanation) == (
        "Explanation of 5 images (6, 8, 3): 3 concepts ('ear', 'tail', 'paw'), "
        "'mean' of 1 LAP layer, with labels and masks"
    )
    many = Explanation(np.ones((1, 2, 2, 9)), np.ones((1, 2, 2, 1)))
    assert repr(many) == (
        "Explanation of 1 image (2, 2, 1): 9 concepts "
        "('concept 0', 'concept 1', 'concept 2', ...)"
    )


# Drawing.


def titles(figure, count):
    return [ax.get_title() for ax in figure.axes[:count]]


def test_few_concepts_are_all_drawn(explanation):
    figure = explanation.plot(count=2)
    assert titles(figure, 4) == ["input", *CONCEPTS]
    assert len(figure.axes) == 2 * 4 + 1
    captions = [figure.axes[cell].get_ylabel() for cell in (0, 4)]
    predicted = [("cat", "dog", "owl")[index] for index in explanation.predicted]
    assert captions[0] == f"0.png\nlabel owl\npredicted {predicted[0]}"
    assert figure.axes[0].collections, "masks are outlined"


def test_labels_that_are_unknown_or_have_no_name(arrays):
    arrays |= {"labels": [-1, 9, 0, 0, 0], "files": None}
    figure = Explanation(**arrays).plot(count=2)
    captions = [figure.axes[cell].get_ylabel().split("\n") for cell in (0, 4)]
    assert len(captions[0]) == 1 and captions[0][0].startswith("predicted")
    assert captions[1][0] == "label 9"


@pytest.mark.parametrize("from_logits", [False, True])
def test_captions_of_several_labels_name_all_of_them(arrays, from_logits):
    labels = np.array([[1, 0, 1], [0, 0, -1], [-1, -1, -1], [1, 1, 1], [0, 0, 0]])
    likely = np.array([[0.9, 0.5, 0.4], [0.1] * 3, [0.2, 0.8, 0.3], [0.7] * 3, [0] * 3])
    if from_logits:
        likely = 9 * (likely - 0.5)
    arrays |= {"labels": labels, "predictions": likely, "files": None}
    figure = Explanation(**arrays).plot()
    captions = [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()]
    assert captions == [
        "label cat, owl\npredicted cat, dog",
        "label none\npredicted none",
        "predicted dog",
        "label cat, dog, owl\npredicted cat, dog, owl",
        "label none\npredicted none",
    ]


def test_rows_of_labels_are_no_concepts(explanation):
    for draw in (explanation.plot, explanation.of, explanation.overlay):
        with pytest.raises(ValueError, match=r"Expected one concept.*shape \(5, 3\)"):
            draw(np.eye(3, dtype=int)[[0, 1, 2, 0, 1]])


def test_of_many_concepts_those_that_matter_are_drawn(arrays):
    arrays |= {
        "maps": np.random.default_rng(0).random((5, 6, 8, 7)),
        "scores": None,
        "predictions": np.eye(7)[[3, 3, 1, 0, 6]],
        "class_concepts": np.eye(7),
        "concept_names": None,
        "class_names": None,
    }
    explanation = Explanation(**arrays)
    figure = explanation.plot()
    assert titles(figure, 3) == ["input", "prediction", "label"]
    heat = figure.axes[1].images[1].get_array()
    expected = explanation.maps[0, ..., 3]
    np.testing.assert_allclose(heat, expected / expected.max(), rtol=1e-6)
    arrays |= {"class_concepts": None}
    assert titles(Explanation(**arrays).plot(), 2) == ["input", "prediction"]


def test_concepts_that_are_asked_for_are_drawn(explanation, tmp_path):
    for concepts in ("paw", 2, np.array([2])):
        figure = explanation.plot(concepts, count=1, captions=None)
        assert titles(figure, 2) == ["input", "paw"]
        assert figure.axes[0].get_ylabel() == ""
    figure = explanation.plot(["paw", 0], count=1, path=tmp_path / "maps.png")
    assert titles(figure, 3) == ["input", "paw", "ear"]
    assert (tmp_path / "maps.png").exists()


def test_overlay(explanation):
    plain = explanation.overlay("ear", opacity=0)
    grey = np.rint(explanation.images @ np.array([0.299, 0.587, 0.114]))
    np.testing.assert_array_equal(plain, np.repeat(grey[..., None], 3, axis=-1))
    heat = explanation.overlay("ear", opacity=1, colormap="gray")
    maps = explanation.of("ear")
    peaks = maps.max(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(heat[..., 0], maps / peaks * 255, atol=1)
    assert explanation.overlay().dtype == np.uint8
    with pytest.raises(ValueError, match="opacity from 0 to 1"):
        explanation.overlay(opacity=2)
    with pytest.raises(ValueError, match="Expected finite maps"):
        dataclasses.replace(explanation, maps=np.nan * explanation.maps).overlay()


def test_concepts_of_one_name_have_columns_of_their_own():
    explanation = Explanation(
        np.ones((1, 6, 8, 2)), np.zeros((1, 6, 8, 3)), concept_names=["eye", "eye"]
    )
    titles = [ax.get_title() for ax in explanation.plot().axes]
    assert titles[:3] == ["input", "eye (0)", "eye (1)"]


def test_drawing_without_matplotlib(explanation, monkeypatch):
    for name in ("matplotlib", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, name, None)
    for draw in (explanation.overlay, explanation.plot):
        with pytest.raises(ImportError, match=r"pip install \"keras-lap\[plot\]\""):
            draw()


# What does not fit.


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"maps": np.ones((5, 6, 8))}, r"\(N, H, W, K\).*`maps\[..., None\]`"),
        ({"images": np.ones((4, 6, 8, 3))}, r"`images` of shape \(5, 6, 8, 'C'\)"),
        ({"images": np.ones((5, 3, 6, 8))}, "`images` of shape"),
        ({"scores": np.ones((5, 2))}, r"`scores` of shape \(5, 3\)"),
        ({"predictions": np.ones(5)}, "`predictions` of shape"),
        ({"masks": np.ones((5, 6, 7))}, "`masks` of shape"),
        ({"labels": np.ones(4)}, "5 labels. Received: 4"),
        ({"labels": list("abcde")}, "labels as whole numbers"),
        ({"labels": np.ones((5, 1, 3))}, r"\(N,\) or \(N, classes\)"),
        ({"concept_names": ["a"]}, "3 `concept_names`. Received: 1"),
        ({"concepts": [1, 2]}, "3 `concepts`. Received: 2"),
        ({"files": ["a"]}, "5 `files`. Received: 1"),
        ({"class_names": ["a"]}, "3 `class_names`, one per class. Received: 1"),
        (
            {"class_concepts": np.eye(2, 3)},
            r"of shape \(3, 3\+\).*2, 3",
        ),
    ],
)
def test_arguments_that_do_not_fit_each_other(arrays, changes, message):
    with pytest.raises(ValueError, match=message):
        Explanation(**arrays | changes)


@pytest.mark.parametrize(
    "concepts, message",
    [
        ("tale", r"Received: 'tale'. Did you mean \['tail'\]"),
        (["ear"] * 4 + ["pa"], r"Did you mean \['paw', 'ear'\]"),
        (3, r"which are \[0, 1, 2\]. Received: 3.*concepts=\[...\]"),
        ([0, 1], r"one for each of 5 images. Received: concepts of shape \(2,\)"),
        (np.eye(5, 3), r"Received: concepts of shape \(5, 3\)"),
    ],
)
def test_concepts_that_were_not_asked_for(explanation, concepts, message):
    with pytest.raises(ValueError, match=message):
        explanation.of(concepts)
    if np.ndim(concepts) == 0:
        with pytest.raises(ValueError, match=message):
            explanation.plot(concepts)


def test_single_concepts_get_advice(arrays):
    few = ("concept_names", "class_concepts", "scores")
    one = {name: None for name in few} | {"maps": arrays["maps"][..., :1]}
    with pytest.raises(ValueError, match=r"Received: 2.*, or take `of\(0\)` if"):
        Explanation(**arrays | one).of(2)
