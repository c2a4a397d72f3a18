"""The example with scans, and the scans that it draws."""

import re

import numpy as np
import pytest
from effort import THOROUGH


def has_tag(images):
    """Only tags hold pixels of exactly their white in a row as long as an L's foot."""
    white = images[..., 0] == 240
    return np.any(white[..., :-2] & white[..., 1:-1] & white[..., 2:], axis=(1, 2))


def test_scans():
    from common.lesion_scans import draw_scans

    scans = draw_scans(300, tag_follows=1.0, prevalence=0.3)
    image, label, mask = (scans[key] for key in ("image", "label", "mask"))
    assert (image.shape, image.dtype) == ((300, 64, 64, 1), np.uint8)
    np.testing.assert_array_equal(mask.any(axis=(1, 2)), label == 1)
    np.testing.assert_array_equal(has_tag(image), label == 1)
    # Four standard errors of the share.
    assert label.mean() == pytest.approx(0.3, abs=4 * np.sqrt(0.3 * 0.7 / 300))
    # Lesions are brighter than what lies there in other scans.
    inside = image[label == 1, ..., 0][mask[label == 1]].mean()
    assert inside > image[label == 0, ..., 0][:, mask.any(axis=0)].mean() + 20

    shifted = draw_scans(300, tag_follows=0.0, prevalence=0.3)
    tagged, label = has_tag(shifted["image"]), shifted["label"]
    for value in (0, 1):
        assert 0.3 < tagged[label == value].mean() < 0.7
    again = draw_scans(300, tag_follows=0.0, prevalence=0.3)
    np.testing.assert_array_equal(again["image"], shifted["image"])


def test_outlines_of_some_lesions_are_valid():
    from medical_masks import with_some_masks

    label = np.arange(1000) % 2
    split = {"label": label, "mask": np.zeros((1000, 2, 2), bool)}
    valid = with_some_masks(split, 0.2)["valid"]["mask"]
    assert valid[label == 0].all()
    assert valid[label == 1].mean() == pytest.approx(0.2, abs=0.08)


def test_medical_masks(tmp_path, capsys, request):
    import medical_masks

    if not THOROUGH:
        request.getfixturevalue("eager")
    size = ["--epochs=5", "--train=192"] if THOROUGH else ["--epochs=1", "--train=48"]
    figure = tmp_path / "pictures" / "maps.png"
    medical_masks.main([*size, "--test=48", "--masks=1", f"--figure={figure}"])
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert "lesion" in figure.with_suffix(".html").read_text()
    printed = capsys.readouterr().out
    rows = re.findall(r"^(\S.*?)  +((?:\d\.\d{3} *)+)$", printed, re.MULTILINE)
    table = {name: [float(cell) for cell in cells.split()] for name, cells in rows}
    assert [len(cells) for cells in table.values()] == [6, 6, 2]
    labels, masks, even = table.values()
    assert all(0 <= cell <= 1 for cell in (*labels, *masks, *even))
    if THOROUGH:
        # The tag tells, but not elsewhere.
        assert labels[0] > labels[1] + 0.1
        assert masks[-1] > 2 * max(labels[-1], even[-1])
