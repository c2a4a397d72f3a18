"""Drawn grey scans, some with a lesion, and a tag of the scanner that follows it."""

import numpy as np

SIDE = 64
_TAG = (
    "#    #  ###",
    "#   # #  # ",
    "#   ###  # ",
    "#   # #  # ",
    "### # #  # ",
)


def draw_scans(count, tag_follows, prevalence=0.2, seed=0):
    """Draws scans as they come from two hospitals, of which one burns in a tag.

    A body with vessels lies on a dark ground, all of it noisy. A lesion is a soft spot
    without an edge, a little brighter than the tissue, while vessels are brighter and
    long. The tag is white text in a corner. If the hospital with the tag is the one
    that treats lesions, the tag tells the label without a look at the body.

    Args:
        count: Number of scans.
        tag_follows: Share of the scans whose tag is there if and only if there is a
            lesion; for the others it is a matter of chance.
        prevalence: Share of the scans with a lesion.
        seed: Of all random numbers.

    Returns:
        A dict of arrays: `"image"`, uint8 `(N, 64, 64, 1)`; `"label"`, int `(N,)`, 1
        with a lesion and 0 without; `"mask"`, bool `(N, 64, 64)`, the lesion.
    """
    rng = np.random.default_rng(seed)
    label = (rng.random(count) < prevalence).astype(int)
    follows = rng.random(count) < tag_follows
    has_tag = np.where(follows, label == 1, rng.random(count) < 0.5)
    image = np.empty((count, SIDE, SIDE, 1), "uint8")
    mask = np.zeros((count, SIDE, SIDE), bool)
    for at in range(count):
        scan = _body(rng)
        place, radii = rng.uniform(20, 44, 2), rng.uniform(3, 6, 2)
        if label[at]:
            distance = _distance(place, radii)
            scan += rng.uniform(45, 70) * np.exp(-(distance**2))
            mask[at] = distance < 1
        scan += rng.normal(0, 9, scan.shape)
        if has_tag[at]:
            _burn_in_tag(rng, scan)
        image[at, ..., 0] = scan.clip(0, 255)
    return {"image": image, "label": label, "mask": mask}


def _body(rng):
    """Tissue with a few vessels, float `(64, 64)`."""
    outline = _distance(rng.uniform(30, 34, 2), rng.uniform(25, 29, 2))
    scan = 15 + 85 / (1 + np.exp(12 * (outline - 1)))
    for _ in range(rng.integers(3, 6)):
        angle, through = rng.uniform(0, np.pi), rng.uniform(18, 46, 2)
        rows, columns = np.indices(scan.shape) - through[:, None, None]
        across = rows * np.cos(angle) - columns * np.sin(angle)
        along = rows * np.sin(angle) + columns * np.cos(angle)
        width, length = rng.uniform(1, 1.8), rng.uniform(8, 16)
        scan += 60 * np.exp(-((across / width) ** 2) - (along / length) ** 4)
    return scan


def _distance(place, radii):
    """Distance of every pixel from an ellipse's centre, 1 on the ellipse."""
    rows, columns = np.indices((SIDE, SIDE))
    return np.hypot((rows - place[0]) / radii[0], (columns - place[1]) / radii[1])


def _burn_in_tag(rng, scan):
    """Writes white text into one of the corners."""
    text = np.array([[letter == "#" for letter in row] for row in _TAG])
    height, width = text.shape
    top, left = rng.choice([2, SIDE - height - 2]), rng.choice([2, SIDE - width - 2])
    scan[top : top + height, left : left + width][text] = 240
