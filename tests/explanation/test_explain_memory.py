"""Explaining again and again takes no more memory; too much is refused beforehand."""

import gc
import importlib
import os
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_lap import LAPooling2D, explain
from keras_lap.classifier.read_images import read_images
from keras_lap.explanation.concept_reader import ConceptReader
from keras_lap.utils.available_memory import available_memory
from keras_lap.utils.collected import Collected

STATM = pathlib.Path("/proc/self/statm")


def resident():
    """Resident memory of this process, in bytes."""
    gc.collect()
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not STATM.exists(), reason=f"there is no {STATM}")
def test_resident_memory_does_not_grow():
    model = keras.Sequential([keras.Input((128, 128, 3)), LAPooling2D(2)])
    images = np.random.default_rng(0).random((16, 128, 128, 3), "float32")
    taken = []
    for _ in range(5):
        for _ in range(4):
            explanation = explain(model, images)
        taken.append(resident())
    # Half of what it would be if every call of a round left its maps behind, 4 MB, in
    # the round with the least. What the allocator does in others is no matter.
    assert min(np.diff(taken)) < 4 / 2 * explanation.maps.nbytes


def test_known_lengths_are_allocated_once_and_unknown_ones_joined():
    batches = [np.full((2, 3), 1.0, "float32"), np.full((1, 3), 2.0, "float32")]
    for count in (3, None):
        collected = Collected("maps", "", count)
        for batch in batches:
            collected.add(batch)
        array = collected.array()
        assert array.dtype == np.float32 and array[:, 0].tolist() == [1, 1, 2]
    assert Collected("maps", "").array() is None


@pytest.fixture
def little_memory(monkeypatch):
    # The function hides its module.
    module = importlib.import_module("keras_lap.utils.collected")
    monkeypatch.setattr(module, "available_memory", lambda: 2000)


@pytest.mark.parametrize("form", ["array", "data set"])
def test_maps_that_do_not_fit_into_memory(little_memory, form):
    lap = LAPooling2D(2, concepts=20)
    model = keras.Sequential([keras.Input((4, 4, 1)), lap])
    images = np.random.default_rng(0).random((3, 4, 4, 1), "float32")
    if form == "data set":
        images = tf.data.Dataset.from_tensor_slices(images).batch(2)
    with pytest.raises(
        MemoryError, match=r"shape \(4, 4, 20\) per image.*`concepts=\[...\]`"
    ):
        explain(model, images)
    assert explain(model, images, concepts=[3]).maps.shape == (3, 4, 4, 1)


def test_a_data_set_that_does_not_fit_is_refused_at_its_first_batch(little_memory):
    passes = []

    class Counted(keras.layers.Layer):
        def call(self, inputs):
            # Symbolic batches have no size.
            if inputs.shape[0] is not None:
                passes.append(inputs.shape[0])
            return inputs

    lap = LAPooling2D(2, concepts=2)
    model = keras.Sequential([keras.Input((4, 4, 1)), Counted(), lap])

    def images_of(count):
        images = np.zeros((count, 4, 4, 1), "float32")
        return tf.data.Dataset.from_tensor_slices(images).batch(2)

    assert explain(model, images_of(4)).maps.shape == (4, 4, 4, 2)
    passes.clear()
    with pytest.raises(MemoryError, match=r"\(4, 4, 2\) per image"):
        explain(model, images_of(12))
    assert passes == [2]


def test_images_and_maps_have_to_fit_together(little_memory, monkeypatch):
    """Either fits alone, and what is left does not shrink here."""
    model = keras.Sequential([keras.Input((4, 4, 1)), LAPooling2D(2)])
    images = tf.data.Dataset.from_tensors(np.zeros((2, 4, 4, 1), "float32"))
    assert len(explain(model, images.repeat(4)).maps) == 8
    monkeypatch.setattr(ConceptReader, "read", None)
    with pytest.raises(MemoryError, match=r"maps of shape \(4, 4, 1\) per image"):
        explain(model, images.repeat(6))


@pytest.mark.parametrize("form", ["array", "data set"])
def test_a_first_batch_that_does_not_fit_is_not_computed(
    form, little_memory, monkeypatch
):
    lap = LAPooling2D(2, concepts=10)
    model = keras.Sequential([keras.Input((4, 4, 1)), lap])
    images = np.random.default_rng(0).random((2, 4, 4, 1), "float32")
    monkeypatch.setattr(ConceptReader, "read", None)
    if form == "data set":
        images = tf.data.Dataset.from_tensor_slices(images).batch(2)
    with pytest.raises(MemoryError, match=r"shape \(4, 4, 10\) per image"):
        explain(model, images)


def test_files_that_do_not_fit_into_memory(little_memory, tmp_path):
    file = tmp_path / "image.png"
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(file)
    assert read_images([file] * 2, (16, 16), 3)[0].shape == (2, 16, 16, 3)
    with pytest.raises(MemoryError, match=r"\(16, 16, 3\) per image.*fewer files"):
        read_images([file] * 3, (16, 16), 3)


def test_available_memory(tmp_path, monkeypatch):
    module = importlib.import_module("keras_lap.utils.available_memory")
    meminfo, group = tmp_path / "meminfo", tmp_path / "group"
    monkeypatch.setattr(module, "_MEMORY", meminfo)
    monkeypatch.setattr(module, "_GROUP", group)
    assert available_memory() is None
    meminfo.write_text("MemTotal: 99 kB\nMemAvailable:      40 kB\n")
    assert available_memory() == 40 * 1024
    group.mkdir()
    (group / "memory.current").write_text("1700\n")
    (group / "memory.stat").write_text("anon 900\nactive_file 300\ninactive_file 400\n")
    for limit, left in {"max": 40 * 1024, "90000": 40 * 1024, "9000": 8000}.items():
        (group / "memory.max").write_text(f"{limit}\n")
        assert available_memory() == left
    (group / "memory.stat").unlink()
    assert available_memory() == 9000 - 1700
