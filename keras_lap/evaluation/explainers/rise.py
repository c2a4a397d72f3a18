"""Parts of the image that are visible when the model sees the class."""

import numpy as np

from keras_lap.evaluation.explainers.covered import covered
from keras_lap.evaluation.explainers.explainer import Explainer
from keras_lap.evaluation.outputs import signed_outputs
from keras_lap.evaluation.targets import check_classes
from keras_lap.utils.linear_interpolation import linear_interpolation
from keras_lap.utils.standardize_count import standardize_count


class RISE(Explainer):
    r"""Mean probability of the class where random parts of the image are visible.

    With the model's output $p$ for the class, as it is and not before the softmax, and
    $S$ random masks $m_k$ with values in $[0, 1]$, a pixel $u$ of the image $x$ has the
    value

    $$ \frac{\sum_{k=1}^S m_k(u) \, p(m_k x + (1 - m_k) v)}{\sum_{k=1}^S m_k(u)}. $$

    A mask is a coarse grid of zeros and ones, resized bilinearly to one cell more than
    the image and cropped to it at a random place. A single output $p$ speaks for class
    1 of two; of class 0 the output is taken as $-p$.

    The paper divides by the expected sum of the masks, the same for all pixels. To
    divide by the sum itself leaves no trace of the masks where the output is the same
    for all of them. A pixel that no mask shows has the value 0.

    The masks are the same for all images and in every call. They are made batch by
    batch, for all images of the call at once.

    Source: Petsiuk et al., "RISE: Randomized Input Sampling for Explanation of
    Black-box Models", BMVC 2018, with 4,000 masks and more of 7 by 7 cells.

    Args:
        masks: int of at least 1, $S$, the number of forward passes per image. Defaults
            to `1000`.
        cells: int of at least 1, the number of rows and of columns of the grid.
            Defaults to `7`.
        share: float above 0 and below 1, how probable it is that a cell is visible.
            Defaults to `0.5`.
        value: float, $v$, what is seen of what is not visible. `None` for the mean of
            each image over its pixels, for each channel. Defaults to `0.0`, as in the
            paper.
        seed: int of at least 0, seed of the masks. Defaults to `0`.
        **options: `name`, `batch_size` and `data_format` of an `Explainer`.

    Raises:
        ValueError: If `masks` or `cells` is below 1, `seed` below 0, or `share` is not
            between 0 and 1.

    Example:
    >>> import keras
    >>> import numpy as np
    >>> from keras_lap.evaluation.explainers import RISE
    >>> model = keras.Sequential(
    ...     [keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(5)]
    ... )
    >>> images = np.random.default_rng(0).random((2, 8, 8, 3))
    >>> RISE(masks=20, cells=4).explain(model, images, targets=[3, 1]).shape
    (2, 8, 8)
    """

    def __init__(self, masks=1000, cells=7, share=0.5, value=0.0, seed=0, **options):
        super().__init__(**options)
        if not 0 < share < 1:
            raise ValueError(
                f"Expected a share between 0 and 1, both excluded. Received: {share=}"
            )
        self.masks = standardize_count("masks", masks)
        self.cells = standardize_count("cells", cells)
        self.share = share
        self.value = value
        self.seed = standardize_count("seed", seed, least=0)

    def prepare(self, model):
        def maps_of(images, targets):
            classes = signed_outputs(model, images[:1]).shape[-1]
            check_classes(targets, classes)
            size = self.image_size(images)
            weighted, seen = np.zeros((len(images), *size)), np.zeros(size)
            for visible in self._batches_of_masks(size):
                seen += visible.sum(axis=0)
                for index, (image, target) in enumerate(
                    zip(images, targets, strict=True)
                ):
                    parts = covered(image, visible, self.value, self.data_format)
                    scores = signed_outputs(model, parts, self.batch_size)
                    weighted[index] += np.tensordot(scores[:, target], visible, 1)
            return np.divide(weighted, seen, out=weighted, where=seen > 0)

        return maps_of

    def _batches_of_masks(self, size):
        """Yields float32 arrays `(M, H, W)`, all masks in the end."""
        generator = np.random.default_rng(self.seed)
        for start in range(0, self.masks, self.batch_size):
            count = min(self.batch_size, self.masks - start)
            grids = generator.random((count, self.cells, self.cells)) < self.share
            rows, columns = (
                self._crops(generator, count, pixels).astype(np.float32)
                for pixels in size
            )
            yield rows @ grids.astype(np.float32) @ columns.swapaxes(1, 2)

    def _crops(self, generator, count, pixels):
        """Weights `(M, pixels, cells)` that resize a side of the grid and crop it."""
        cell = -(-pixels // self.cells)
        offsets = generator.integers(cell, size=(count, 1))
        # Centres of the pixels, in cells from the centre of the first cell.
        places = (offsets + np.arange(pixels) + 0.5) / cell
        places = places * self.cells / (self.cells + 1) - 0.5
        weights = linear_interpolation(places.ravel(), self.cells)
        return weights.reshape(*places.shape, self.cells)
