"""The parts of the study, without training."""

import csv
import dataclasses

import keras
import numpy as np
import pytest

from keras_lap import lap_layers

pytestmark = pytest.mark.torch_too


def test_average_precision():
    from study_grid.quality import average_precision, quality

    # Relevant at ranks 1 and 3: (1 / 1 + 2 / 3) / 2.
    found = average_precision(np.array([0.9, 0.8, 0.7, 0.1]), [1, 0, 1, 0])
    assert found == pytest.approx(5 / 6)
    # All share the worst rank.
    assert average_precision(np.full(4, 0.5), [1, 0, 0, 0]) == 1 / 4
    several = np.array([[1, 0], [1, 0], [0, 1]])
    scores = np.array([[0.9, 0.1], [0.8, 0.9], [0.1, 0.2]])
    assert quality(scores, several) == (1 + 1 / 2) / 2
    assert quality(scores, np.array([0, 0, 1])) == 2 / 3


def test_batches_come_in_the_same_order_from_the_same_seed():
    from study_grid.batches import Batches

    images = np.arange(7, dtype="uint8").reshape(7, 1, 1, 1)
    targets = {"label": np.arange(7), "mask": 255 * (images[..., 0] % 2)}

    def epochs(seed):
        batches = Batches(images, targets, 3, seed, np.ones(7, bool), least=1)
        for _ in range(2):
            yield [batches[index] for index in range(len(batches))]
            batches.on_epoch_end()

    first, second = epochs(0)
    for epoch in (first, second):
        labels = np.concatenate([found["label"] for _, found in epoch])
        assert sorted(labels) == list(range(7))
        for seen, found in epoch:
            assert seen.dtype == "float32"
            assert seen.ravel().tolist() == found["label"].tolist()
            assert found["mask"].ravel().tolist() == (found["label"] % 2).tolist()
    orders = [
        [found["label"].tolist() for epoch in epochs(seed) for _, found in epoch]
        for seed in (0, 0, 1)
    ]
    assert orders[0] == orders[1] != orders[2]
    assert orders[0][:3] != orders[0][3:]


def test_batches_have_enough_of_the_images_that_are_wanted():
    from study_grid.batches import Batches

    images, labels = np.zeros((20, 1, 1, 1), "uint8"), np.arange(20)

    def epochs(wanted, least):
        batches = Batches(images, labels, 6, 0, np.isin(labels, wanted), least)
        for _ in range(3):
            yield [batches[index][1] for index in range(len(batches))]
            batches.on_epoch_end()

    usual = [batch for epoch in epochs([3, 4], least=0) for batch in epoch]
    richer = [batch for epoch in epochs([3, 4], least=2) for batch in epoch]
    for before, after in zip(usual, richer, strict=True):
        is_wanted = np.isin(after, [3, 4])
        assert is_wanted.sum() >= 2
        changed = before != after
        assert is_wanted[changed].all()
        assert changed.sum() == max(0, 2 - np.isin(before, [3, 4]).sum())


def test_right_answers():
    from study_grid.answers import masks_of, right_answers

    sure, unsure = np.array([[0.9, 0.1]]), np.array([[0.2, 0.8]])
    assert right_answers(np.array([0]), sure).tolist() == [0]
    assert right_answers(np.array([0]), sure, unsure).tolist() == [-1]
    several = np.array([[1, 1]])
    assert right_answers(several, sure, np.array([[0.6, 0.9]])).tolist() == [0]
    assert right_answers(several, sure, unsure).tolist() == [-1]
    masks = np.zeros((1, 2, 2, 2), "uint8")
    masks[0, 0, 0, 1] = 255
    assert masks_of(masks, np.array([1])).sum() == 1
    assert not masks_of(masks, np.array([0])).any()
    assert masks_of(masks[..., 1], np.array([0])).tolist() == [
        [[True, False], [False, False]]
    ]


def test_attention_is_told_by_masks():
    from study_grid.attention import attention_loss, attention_targets

    masks = np.zeros((2, 4, 4), "uint8")
    masks[:, :2, :2] = 255
    told = attention_targets(
        masks, np.array([1, 0]), np.array([True, False]), (2, 2), 3
    )
    assert told.shape == (2, 2, 2, 3)
    assert told[0, :, :, 1].tolist() == [[1, 0], [0, 0]]
    assert (told[0, :, :, [0, 2]] == -1).all() and (told[1] == -1).all()
    maps = np.zeros((2, 2, 2, 3), "float32")
    maps[0, 1, 1, 1] = 0.5
    # One pixel misses 1, one is 0.5 too high, of four.
    loss = keras.ops.convert_to_numpy(attention_loss(told, maps))
    assert loss.tolist() == [(1 + 0.25) / 4, 0]


def small_network(classes=3):
    image = keras.Input((16, 16, 3), name="image")
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(image)
    x = keras.layers.MaxPooling2D(name="pool")(x)
    x = keras.layers.GlobalAveragePooling2D(name="head_pool")(x)
    x = keras.layers.Dense(classes, name="classifier")(x)
    return keras.Model(image, keras.layers.Softmax(name="probabilities")(x))


def test_attention_is_grad_cam():
    from study_grid.attention import with_attention

    network = small_network()
    network.get_layer("classifier").bias.assign([1.0, -2.0, 3.0])
    images = np.random.default_rng(0).random((2, 16, 16, 3)).astype("float32")
    _, maps = with_attention(network)(images)
    features = keras.Model(network.input, network.get_layer("pool").output)(images)
    kernel = network.get_layer("classifier").kernel
    expected = keras.ops.relu(features @ kernel)
    highest = keras.ops.max(expected, axis=(1, 2), keepdims=True)
    # Some maps are zero everywhere.
    expected = expected / keras.ops.where(highest > 0, highest, 1)
    maps, expected = map(keras.ops.convert_to_numpy, (maps, expected))
    np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-6)


def test_arms_have_the_concepts_they_say():
    from study_grid.arms import ARMS, LAP_MASKS_TUNED
    from study_grid.networks import with_closed_gates, with_lap
    from study_grid.sets import SETS

    def concepts(arm):
        converted = with_lap(small_network(), arm, SETS["clutter"])
        return [layer.concepts for layer in lap_layers(converted)]

    assert concepts(LAP_MASKS_TUNED) == [1, 10]
    assert concepts(ARMS["ablation: one concept"]) == [1, 1]
    assert concepts(ARMS["ablation: class concepts everywhere"]) == [10, 10]
    assert concepts(ARMS["ablation: head only"]) == [10]
    images = np.random.default_rng(0).random((2, 16, 16, 3)).astype("float32")
    network = small_network()
    closed = with_closed_gates(network)
    outputs = (keras.ops.convert_to_numpy(each(images)) for each in (closed, network))
    np.testing.assert_allclose(*outputs, rtol=1e-5)


@pytest.mark.parametrize(
    ("does", "gating"), [("weighs", [None, "score"]), ("stays", ["score"])]
)
def test_the_first_layer_may_do_without_a_gate(does, gating):
    from study_grid.arms import ARMS
    from study_grid.networks import with_lap
    from study_grid.sets import SETS

    arm = ARMS[f"LAP + masks, 5 %, first layer {does}"]
    found = with_lap(small_network(), arm, SETS["clutter"])
    assert [layer.gating for layer in lap_layers(found)] == gating


def test_gates_are_open_at_once_where_an_arm_says_so():
    from study_grid.arms import ARMS
    from study_grid.networks import with_lap
    from study_grid.sets import SETS

    for name, gate in (("ablation: gates open at once", 1), ("LAP, tuned", 0)):
        found = with_lap(small_network(), ARMS[name], SETS["clutter"])
        assert [float(layer.gate) for layer in lap_layers(found)] == [gate, gate]


def test_grid_asks_every_question_once():
    from study_grid.families import FAMILIES
    from study_grid.grid import QUESTIONS, cells
    from study_grid.sets import CORE_SETS

    found = cells(QUESTIONS, list(CORE_SETS), list(FAMILIES), range(3))
    names = [cell.name for cell in found]
    assert len(set(names)) == len(names) > 300
    seeds = [cell.seed for cell in found]
    assert seeds == sorted(seeds)
    more = {(cell.set, cell.arm) for cell in found if cell.seed in (3, 4, 5)}
    assert more == {
        ("decoy", "original"),
        ("decoy", "LAP + masks, 5 %"),
        ("clutter", "original"),
        ("clutter", "original, tuned"),
    }
    assert cells("F", ["beetles"], list(FAMILIES), range(3)) == []


def test_told_images_are_as_many_as_asked_for():
    from study_grid.knowledge import told_images

    assert told_images(1000, 0.05, 0).sum() == 50
    assert told_images(10, 0.01, 0).sum() == 1
    assert (told_images(1000, 0.05, 0) != told_images(1000, 0.05, 1)).any()


@pytest.fixture
def workshop(tmp_path, monkeypatch):
    """A workshop whose cells of the arm `LAP` fail, and none of which train."""
    from study_grid import compute, train_cell
    from study_grid.sizes import QUICK
    from study_grid.workshop import Workshop

    def pretend(cell, workshop):
        if cell.arm == "LAP":
            raise ValueError("not today")
        workshop.network_path(cell).parent.mkdir(exist_ok=True)
        workshop.network_path(cell).write_text(cell.name)
        yield cell.row(metric="quality on test", value=0.5)

    monkeypatch.setattr(train_cell, "compute", pretend)
    monkeypatch.setattr(compute.keras.backend, "clear_session", lambda: None)
    return Workshop(tmp_path, QUICK)


def test_run_goes_on_where_it_stopped(workshop, capsys):
    from study_grid.cell import TRAIN, Cell
    from study_grid.run import run

    tuned = Cell(TRAIN, "clutter", "InceptionV3", 0, "original, tuned")
    original, failing = (
        Cell(TRAIN, "clutter", "InceptionV3", 0, arm) for arm in ("original", "LAP")
    )
    # What a cell needs is computed first, without being asked for.
    failures = run([tuned, failing], workshop, workers=0)
    assert list(failures) == [failing] and "not today" in failures[failing]
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].endswith(f"{original.name}: 0 s")
    assert [workshop.is_done(each) for each in (original, tuned, failing)] == [
        True,
        True,
        False,
    ]
    run([tuned], workshop, workers=0)
    assert capsys.readouterr().out == ""
    # A network that was lost is trained again if a cell wants it, and only then.
    workshop.network_path(original).unlink()
    run([tuned], workshop, workers=0)
    assert capsys.readouterr().out == ""
    workshop.results_path(tuned).unlink()
    run([tuned], workshop, workers=0)
    assert len(capsys.readouterr().out.splitlines()) == 2
    # What was computed of another size, or arm, is computed anew.
    workshop.sizes = dataclasses.replace(workshop.sizes, train=1)
    assert not any(workshop.is_done(each) for each in (original, tuned))
    assert list(workshop.results()) == []
    run([tuned], workshop, workers=0)
    assert len(capsys.readouterr().out.splitlines()) == 2
    rows = list(workshop.results())
    assert {row["arm"] for row in rows} == {"original", "original, tuned"}
    assert all(row["value"] == "0.5" for row in rows)
    with workshop.results_path(tuned).open() as file:
        assert list(csv.DictReader(file)) == [
            row for row in rows if row["arm"] == tuned.arm
        ]


def test_run_leaves_out_what_needs_a_cell_that_failed(workshop, monkeypatch):
    from study_grid import train_cell
    from study_grid.cell import TRAIN, Cell
    from study_grid.run import run

    def fail(cell, workshop):
        raise ValueError("not today")
        yield

    monkeypatch.setattr(train_cell, "compute", fail)
    tuned = Cell(TRAIN, "clutter", "InceptionV3", 0, "original, tuned")
    failures = run([tuned], workshop, workers=0)
    assert "left out without train-clutter-InceptionV3-0-original" in failures[tuned]


def test_results_depend_on_the_weight_of_what_is_told(monkeypatch):
    from study_grid import weights
    from study_grid.cell import TRAIN, Cell
    from study_grid.recipe import recipe
    from study_grid.sizes import CORE

    told, not_told = (
        Cell(TRAIN, "clutter", "InceptionV3", 0, arm)
        for arm in ("LAP + masks", "original")
    )
    before = recipe(told, CORE), recipe(not_told, CORE)
    monkeypatch.setitem(weights.WEIGHTS, "masks", 3.0)
    assert recipe(told, CORE) != before[0]
    assert recipe(not_told, CORE) == before[1]


def test_knowledge_of_few_images_counts_for_more():
    from study_grid.arms import ABLATIONS, KNOWLEDGE, LOSSES
    from study_grid.knowledge import KINDS
    from study_grid.training import told_share
    from study_grid.weights import WEIGHTS

    split = {"label": np.arange(4), "mask": np.zeros((4, 2, 2)), "boxes": np.ones(4)}
    told = np.array([True, False, False, False])
    weights = {}
    for arm in (*KNOWLEDGE, *ABLATIONS, *LOSSES):
        if arm.told in KINDS:
            kind = KINDS[arm.told]
            targets = kind.targets(split, told)
            callback = kind.callback(WEIGHTS[arm.told], told_share(arm), several=False)
            weights[arm.name] = callback.weights
            if isinstance(targets, dict):
                assert set(targets["valid"]) == set(targets) - {"label", "valid"}
                assert all(flags is told for flags in targets["valid"].values())
    assert weights["LAP + masks, 1 %"] == [16]
    assert weights["LAP + masks, tuned"] == [16]
    assert weights["LAP + masks, 100 %"] == [4]
    # Labels are there for all images.
    assert weights["LAP + labels"] == weights["ablation: labels alone"] == [0.1]
    assert weights["ablation: sufficiency + areas"] == [0.1, 0.1]


def test_gates_open_over_a_share_of_the_training(monkeypatch):
    from study_grid import training
    from study_grid.arms import ARMS
    from study_grid.sets import SETS

    made = []
    monkeypatch.setattr(
        training,
        "GateAnneal",
        lambda end: made.append(end) or keras.callbacks.Callback(),
    )
    monkeypatch.setattr(keras.Model, "fit", lambda *_, **__: None)
    data = {
        "image": np.zeros((16, 16, 16, 3), "uint8"),
        "label": np.arange(16) % 3,
        "mask": np.zeros((16, 16, 16), "uint8"),
    }
    for name in ("LAP", "LAP + masks, tuned", "ablation: gates open until the end"):
        network = small_network(classes=10)
        study_set = SETS["clutter"]
        training.train(ARMS[name], network, data, study_set, 0, epochs=3)
    assert made == [1, pytest.approx(0.3), 3]
