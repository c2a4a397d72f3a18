"""Correlation of what maps promise with what removal does."""

import numpy as np

from keras_lap.evaluation.faithfulness.baselines import baselines
from keras_lap.evaluation.faithfulness.least_change import LEAST_CHANGE
from keras_lap.evaluation.faithfulness.samples import Samples
from keras_lap.evaluation.metric_result import MetricResult
from keras_lap.evaluation.ranks import ranks
from keras_lap.evaluation.sample_generator import sample_generator
from keras_lap.utils.names import check_choice
from keras_lap.utils.standardize_count import standardize_count


def mu_fidelity(
    predict,
    images,
    maps,
    targets,
    *,
    batch_size=32,
    samples=200,
    grid=9,
    share=0.2,
    baseline=0.0,
    correlation="pearson",
    seed=0,
):
    r"""Correlation of the attribution of random parts with the drop without them.

    For random subsets $S$ of an image $x$ with map $m$, all of the same number of
    cells, the value is the correlation, over the subsets, of what the map gives to them
    with the probability of the target that is lost when they are replaced by the
    baseline:

    $$ \mathrm{corr}_S \Big(\sum_{p \in S} m_p,\; f(x) - f(x_{S \to b})\Big) $$

    It lies between -1 and 1; the higher, the better. Other than in the deletion game,
    the values of a map count, not only the order, and its negative values as well. It
    does not change when a map is multiplied by a positive number. If either side is the
    same for all subsets, as with a constant map on cells of equal size, or with drops
    that differ by no more than the rounding of float32, about $10^{-6}$, there is no
    correlation and the sample is left out.

    Source: definition 3 in Bhatt et al., "Evaluating and Aggregating Feature-based
    Model Explanations", IJCAI 2020, for pixels and a fixed size of the subsets. Cells
    instead of pixels, 9 by 9 of them, a share of 0.2 and 200 subsets are the settings
    of the library xplique, where each cell is drawn by itself, so the subsets differ in
    size, and the correlation is Spearman's.

    Args:
        predict: `keras.Model`, function or `Predictor`: images to probabilities
            `(B, classes)`, not logits.
        images: array `(N, H, W, C)`, in the range that the model expects. Integers
            are converted to floats.
        maps: array `(N, H, W)`, finite: how important each pixel is.
        targets: int array `(N,)`, the class that each map is for, or one int.
        batch_size: int, number of images per call of the model, and in memory.
            Defaults to `32`.
        samples: int of at least 2, number of subsets. Defaults to `200`.
        grid: int, number of rows and of columns of cells that an image is divided
            into, at most one per pixel. Where it does not divide the sides, larger
            cells hold more of any map, so that also a random one gets more than 0:
            take `8` for sides such as 32, 64 or 224. `None` makes every pixel a cell,
            as in the paper; on images of usual size the drop of so many scattered
            pixels hardly depends on which they are. Defaults to `9`.
        share: float between 0 and 1, share of the cells that is in a subset. Defaults
            to `0.2`.
        baseline: what removed cells become: a number, an array that broadcasts to an
            image, such as one number per channel, one image per sample, `"blur"`, or a
            function of an image. Defaults to `0`.
        correlation: `"pearson"`, as in the paper, or `"spearman"`, of the ranks.
            Defaults to `"pearson"`.
        seed: int, seed of the subsets, which are the same for all maps of an image.
            Defaults to `0`.

    Returns:
        A `MetricResult` with values in `[-1, 1]`.

    Raises:
        ValueError: If shapes do not fit, a value is not finite, the output is not made
            of probabilities, or an argument is out of its range.

    Example:
    >>> import numpy as np
    >>> from keras_lap.evaluation import mu_fidelity
    >>> generator = np.random.default_rng(0)
    >>> weights = generator.random((18, 18))
    >>> def predict(images):
    ...     return (images[..., 0] * weights).mean((1, 2))[:, None]
    >>> images = generator.random((2, 18, 18, 1))
    >>> right = images[..., 0] * weights
    >>> maps = np.stack([right[0], -right[1]])
    >>> mu_fidelity(predict, images, maps, 1).values.round(6)
    array([ 1., -1.])
    """
    check_choice("correlation", correlation, ("pearson", "spearman"))
    samples = standardize_count("samples", samples, least=2)
    grid = None if grid is None else standardize_count("grid", grid)
    if not 0 < share < 1:
        raise ValueError(f"Expected a share between 0 and 1. Received: {share=}")
    given = Samples(predict, images, maps, targets, batch_size)
    removed = baselines(baseline, given)
    cells = _cells(given.size, grid)
    count = cells.max() + 1
    chosen = round(share * count)
    if not 0 < chosen < count:
        raise ValueError(
            "Expected subsets of at least one cell and not of all. Received: "
            f"{share=} of {count} cells. Change the share, or take more cells."
        )

    def subsets(index):
        generator = sample_generator(seed, index)
        for _ in range(samples):
            inside = np.zeros(count, dtype=bool)
            inside[generator.choice(count, chosen, replace=False)] = True
            yield inside

    def variants(index):
        image, without = given.image(index), removed(index)
        yield image
        for inside in subsets(index):
            yield np.where(inside[cells][..., None], without, image)

    probabilities = given.probabilities(variants)
    drops = probabilities[:, :1] - probabilities[:, 1:]
    values = np.empty(len(given))
    for index, drop in enumerate(drops):
        map_ = given.map(index)
        attribution = np.bincount(cells.ravel(), map_.ravel())
        sums = np.array([attribution[inside].sum() for inside in subsets(index)])
        # Sums of the same numbers in another order differ by their rounding.
        rounding = 8 * np.finfo(float).eps * np.abs(map_).sum()
        if np.ptp(sums) <= rounding or np.ptp(drop) <= LEAST_CHANGE:
            values[index] = np.nan
            continue
        if correlation == "spearman":
            sums, drop = ranks(sums, tolerance=rounding), ranks(drop)
        values[index] = np.corrcoef(sums, drop)[0, 1]
    return MetricResult(values)


def _cells(size, grid):
    """Number of the cell of each pixel, `(H, W)`: the cell its centre lies in."""
    rows, columns = (
        (2 * np.arange(length) + 1) * min(grid or length, length) // (2 * length)
        for length in size
    )
    return rows[:, None] * (columns[-1] + 1) + columns
