"""Pixels filled in from those around them."""

import functools

from keras_lap.utils.from_extra import from_extra


def noisy_linear_imputation(image, missing, noise, generator):
    """Replaces pixels by the weighted mean of their neighbours, plus noise.

    A missing pixel becomes the mean of its eight neighbours, those beside it with
    weight 1/6, those at its corners with 1/12; beyond the border there are none, and
    the weights of the rest count in proportion. All missing pixels are found together,
    as the solution of a sparse linear system, so a hole is filled smoothly from its
    rim. Noise is added to what was filled in.

    Source: section 4 of Rong et al., "A Consistent and Efficient Evaluation Strategy
    for Attribution Methods", ICML 2022.

    Args:
        image: float array `(H, W, C)`.
        missing: boolean array `(H, W)`, at least one pixel false.
        noise: float, standard deviation of the noise, in the units of the image.
        generator: `numpy.random.Generator` of the noise.

    Returns:
        A new array of the shape and dtype of the image.

    Raises:
        ImportError: If SciPy is not installed.

    Example:
    >>> import numpy as np
    >>> from keras_lap.evaluation.faithfulness.noisy_linear_imputation import (
    ...     noisy_linear_imputation,
    ... )
    >>> image = np.array([[0.0, 1, 0], [2, 99, 2], [0, 1, 0]])[..., None]
    >>> missing = image[..., 0] == 99
    >>> generator = np.random.default_rng(0)
    >>> noisy_linear_imputation(image, missing, 0.0, generator)[1, 1].round(6)
    array([1.])
    """
    filled = image.copy()
    missing = missing.ravel()
    colors = filled.reshape(missing.size, -1)
    equations = _equations(image.shape[:2])[missing]
    known = -equations[:, ~missing] @ colors[~missing].astype("float64")
    solution = _factorized(equations[:, missing]).solve(known)
    colors[missing] = solution + noise * generator.standard_normal(solution.shape)
    return filled


@functools.lru_cache(maxsize=1)
def _equations(size):
    """Each pixel times the weights of its neighbours, minus the neighbours.

    Only proportions matter: the weights are those of the outer product of (1, 2, 1)
    with itself. Its middle, the pixel itself, cancels out.
    """
    sparse, _ = _scipy()
    lines = [
        sparse.diags_array([1.0, 2.0, 1.0], offsets=[-1, 0, 1], shape=(length, length))
        for length in size
    ]
    weights = sparse.kron(*lines, format="csr")
    return (sparse.diags_array(weights.sum(axis=1)) - weights).tocsr()


def _factorized(matrix):
    _, linalg = _scipy()
    # The settings for matrices that are symmetric and positive definite.
    return linalg.splu(
        matrix.tocsc(),
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0,
        options={"SymmetricMode": True},
    )


def _scipy():
    with from_extra("evaluation", "ROAD needs SciPy"):
        from scipy import sparse
        from scipy.sparse import linalg
    return sparse, linalg
