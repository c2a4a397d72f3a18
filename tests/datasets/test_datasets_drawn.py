"""What data sets that are drawn have in common: what is rendered is what is stored."""

import numpy as np
import pytest

pytest.importorskip("tensorflow")
tfds = pytest.importorskip("tensorflow_datasets")
pytest.importorskip("sklearn")

from keras_lap.datasets import (  # noqa: E402
    ClutteredDigits,
    ClutteredDigitsConfig,
    CrowdedDigits,
    SizedConfig,
    SpottedBeetles,
    cluttered_digits,
    crowded_digits,
    load,
    spotted_beetles,
)

BUILDERS = {
    "crowded_digits": (CrowdedDigits, crowded_digits.render_example),
    "spotted_beetles": (SpottedBeetles, spotted_beetles.render_example),
    # By a config that knows of no patch.
    "cluttered_digits": (ClutteredDigits, cluttered_digits.render_example),
}
each_set = pytest.mark.parametrize("name", BUILDERS)
TINY = {"name": "tiny", "train": 2, "validation": 1, "test": 2}


@each_set
def test_rendering_is_repeatable_and_differs_over_indices_and_splits(name):
    _, render_example = BUILDERS[name]
    images = []
    for split in ("train", "validation", "test"):
        for index in range(3):
            once, again = (render_example(split, index) for _ in range(2))
            for key, value in once.items():
                np.testing.assert_array_equal(value, again[key])
            images.append(once["image"].tobytes())
    assert len(set(images)) == 9


@each_set
def test_the_builder_stores_what_is_rendered(name, tmp_path):
    cls, render_example = BUILDERS[name]
    builder = cls(config=SizedConfig(**TINY), data_dir=str(tmp_path))
    builder.download_and_prepare()
    assert builder.info.full_name == f"{name}/tiny/1.0.0"
    assert builder.info.splits["train"].num_examples == 2
    stored = list(tfds.as_numpy(builder.as_dataset(split="test")))
    assert len(stored) == 2
    for index, example in enumerate(stored):
        rendered = render_example("test", index)
        assert set(example) == set(rendered)
        for key, value in rendered.items():
            assert example[key].dtype == getattr(value, "dtype", example[key].dtype)
            np.testing.assert_array_equal(example[key], value, err_msg=key)


@pytest.mark.parametrize("changed", [{"train": 3}, {"decoy": True}])
def test_what_was_prepared_by_another_config_of_the_name_is_refused(tmp_path, changed):
    builders = (
        ClutteredDigits(config=ClutteredDigitsConfig(**config), data_dir=str(tmp_path))
        for config in (TINY, {**TINY, **changed})
    )
    next(builders).download_and_prepare()
    reason = r"Received: {'train': 2, .*another name, or delete '.*tiny.1\.0\.0'"
    with pytest.raises(ValueError, match=reason):
        load(next(builders))
