"""What all kernels compute alike: places of windows, weights and their derivatives.

Index arguments are blocks of any shapes that broadcast; `geometry` is a `Geometry`.
Pixels and windows are numbered over the whole batch, in row-major order.
"""

# Triton knows no unpacking into tuples.
# ruff: noqa: RUF005
import triton
import triton.language as tl

# The values of the enumerations in pooling.h.
GAUSSIAN = tl.constexpr(0)
NO_BASE = tl.constexpr(0)
MAX = tl.constexpr(1)
AVERAGE = tl.constexpr(2)
FIRST = tl.constexpr(3)

# Later than any tap.
NEVER = tl.constexpr(2**31 - 1)


@triton.jit
def split_program(channels, groups, BLOCK_CHANNELS: tl.constexpr):
    """Numbers of the rows' block, the group and the first channel of this program."""
    blocks = tl.cdiv(channels, BLOCK_CHANNELS)
    program = tl.program_id(0)
    block = program // blocks
    return block // groups, block % groups, program % blocks * BLOCK_CHANNELS


@triton.jit
def window_count(geometry):
    """Number of windows in the batch."""
    return geometry.batch * geometry.out_height * geometry.out_width


@triton.jit
def locate(index, rows, columns):
    """Image, row and column of entries of maps with so many rows and columns."""
    line = index // columns
    return line // rows, line % rows, index % columns


@triton.jit
def windows_at(u, exists, geometry):
    """Windows by their numbers, in the form that other functions take.

    Returns:
        A tuple of their images, of the rows and of the columns of their first pixels,
        which may lie in the padding, and of whether they exist.
    """
    n, row, column = locate(u, geometry.out_height, geometry.out_width)
    top = row * geometry.stride_height - geometry.pad_top
    left = column * geometry.stride_width - geometry.pad_left
    return n, top, left, exists


@triton.jit
def pixel_at(n, row, column, geometry):
    """Numbers of pixels, and whether these lie inside their map."""
    inside = (row >= 0) & (row < geometry.height)
    inside = inside & (column >= 0) & (column < geometry.width)
    return (n * geometry.height + row) * geometry.width + column, inside


@triton.jit
def tap_count(geometry):
    """Number of positions in a window."""
    return geometry.window_height * geometry.window_width


@triton.jit
def tap_pixel(tap, windows, geometry):
    """The pixels at one position of windows, and whether all three exist."""
    n, top, left, exists = windows
    row = top + tap // geometry.window_width
    column = left + tap % geometry.window_width
    pixel, inside = pixel_at(n, row, column, geometry)
    return pixel, inside & exists & (tap < tap_count(geometry))


@triton.jit
def channels_at(pixel, group, c, channels, groups):
    """Offsets of channels `c` of a group."""
    return pixel.to(tl.int64) * (channels * groups) + (group * channels + c)


@triton.jit
def pair_at(u, group, tap, geometry):
    """Offsets in a table over windows and their taps."""
    window = group.to(tl.int64) * window_count(geometry) + u
    return window * tap_count(geometry) + tap


@triton.jit
def branch_factors(gate, geometry):
    """Factors of the attention branch and of the base branch."""
    opened = tl.load(gate)
    blended = geometry.base != NO_BASE
    return tl.where(blended, opened, 1.0), tl.where(blended, 1.0 - opened, 0.0)


@triton.jit
def weight_at(distance, alpha, geometry):
    """Weights of pixels whose scores lie so far below the best."""
    scaled = alpha * distance
    square = scaled * scaled
    return tl.exp(-tl.where(geometry.weighting == GAUSSIAN, square, scaled))


@triton.jit
def passed_score(score, geometry):
    """What pixels are multiplied by besides their weights."""
    return tl.where(geometry.gated != 0, score, 1.0)


@triton.jit
def base_share(tap, windows, inside, geometry):
    """Factors of pixels in the average, or in the first pixel; 0 for other bases."""
    _, top, left, _ = windows
    sees_padding = geometry.base_sees_padding != 0
    bottom = tl.minimum(top + geometry.window_height, geometry.height)
    right = tl.minimum(left + geometry.window_width, geometry.width)
    real = (bottom - tl.maximum(top, 0)) * (right - tl.maximum(left, 0))
    count = tl.maximum(tl.where(sees_padding, tap_count(geometry), real), 1)
    first_real = tl.maximum(-top, 0) * geometry.window_width + tl.maximum(-left, 0)
    first = tl.where(sees_padding, 0, first_real)
    is_first = (geometry.base == FIRST) & (tap == first)
    share = tl.where(
        geometry.base == AVERAGE, 1.0 / count, tl.where(is_first, 1.0, 0.0)
    )
    return tl.where(inside, share, 0.0)


@triton.jit
def best_and_total(scores, score_stride, place, alpha, windows, lanes, geometry):
    """Best score of windows, its first tap, and the sum of their weights.

    Args:
        scores: Pointer to all scores.
        score_stride: Scores per pixel.
        place: Which of a pixel's scores.
        alpha: Sharpness.
        windows: As from `windows_at`; they exist where there is such a score.
        lanes: 0 up to the number of taps taken at a time, along axis 1.
        geometry: Sizes and options.
    """
    taps = tap_count(geometry)
    BLOCK_TAPS: tl.constexpr = lanes.shape[1]
    nothing = tl.zeros_like(windows[0] + lanes + place).to(tl.float32)
    best = nothing - float("inf")
    for start in range(0, taps, BLOCK_TAPS):
        tap = start + lanes
        pixel, inside = tap_pixel(tap, windows, geometry)
        offset = pixel.to(tl.int64) * score_stride + place
        score = tl.load(scores + offset, mask=inside, other=-float("inf"))
        best = tl.maximum(best, score)
    best = tl.max(best, axis=1, keep_dims=True)
    first = nothing.to(tl.int32) + NEVER
    total = nothing
    for start in range(0, taps, BLOCK_TAPS):
        tap = start + lanes
        pixel, inside = tap_pixel(tap, windows, geometry)
        offset = pixel.to(tl.int64) * score_stride + place
        score = tl.load(scores + offset, mask=inside, other=0.0)
        first = tl.minimum(first, tl.where(inside & (score == best), tap, NEVER))
        distance = tl.where(inside, best - score, 0.0)
        total += tl.where(inside, weight_at(distance, alpha, geometry), 0.0)
    first = tl.min(first, axis=1, keep_dims=True)
    return best, first, tl.sum(total, axis=1, keep_dims=True)


@triton.jit
def weight_slope(weight, distance, passed, dot, mean, share, alpha, geometry):
    """Derivatives of the loss by the exponents of weights, `alpha distance` or so.

    Times `alpha` it is what a score gets through its own weight, and times `-distance`
    what alpha gets. `dot` is the upstream gradient times the pixel, `mean` the same of
    the pooled pixel, `share` the branch's factor over the sum of the weights. Products
    begin with the weight: one that vanished keeps what is far away from overflowing.
    """
    excess = share * (passed * dot - mean)
    steeper = 2.0 * (alpha * (distance * weight)) * excess
    return tl.where(geometry.weighting == GAUSSIAN, steeper, weight * excess)


@triton.jit
def through_gating(weight, dot, share, geometry):
    """What scores get as the factors that gating multiplies pixels by."""
    return tl.where(geometry.gated != 0, weight * dot * share, 0.0)


@triton.jit
def known_window(scores, group, alpha, windows, geometry, WINDOW: tl.constexpr):
    """Pixels, scores, distances and weights of square windows, as one block per tap.

    Returns:
        Tuples of pixels, of whether they are inside, of scores, distances and weights;
        the first tap of the best score and the sum of the weights.
    """
    TAPS: tl.constexpr = WINDOW * WINDOW
    n, top, left, exists = windows
    best = tl.zeros_like(top).to(tl.float32) - float("inf")
    first = tl.zeros_like(top)
    pixels, insides, values = (), (), ()
    for tap in tl.static_range(TAPS):
        row, column = top + tap // WINDOW, left + tap % WINDOW
        pixel, inside = pixel_at(n, row, column, geometry)
        inside = inside & exists
        offset = pixel.to(tl.int64) * geometry.groups + group
        value = tl.load(scores + offset, mask=inside, other=0.0)
        better = inside & (value > best)
        first = tl.where(better, tap, first)
        best = tl.where(better, value, best)
        pixels = pixels + (pixel,)
        insides = insides + (inside,)
        values = values + (value,)
    distances, weights = (), ()
    total = tl.zeros_like(best)
    for tap in tl.static_range(TAPS):
        distance = tl.where(insides[tap], best - values[tap], 0.0)
        weight = weight_at(distance, alpha, geometry)
        weight = tl.where(insides[tap], weight, 0.0)
        total += weight
        distances = distances + (distance,)
        weights = weights + (weight,)
    return pixels, insides, values, distances, weights, first, total


@triton.jit
def window_over(n, row, column, back, geometry):
    """One of the windows that a pixel lies under, counted back from the last.

    Returns:
        The window, the pixel's tap in it, and whether there are such.
    """
    reach = tl.cdiv(geometry.window_width, geometry.stride_width)
    below, right = row + geometry.pad_top, column + geometry.pad_left
    i = below // geometry.stride_height - back // reach
    j = right // geometry.stride_width - back % reach
    down = below - i * geometry.stride_height
    across = right - j * geometry.stride_width
    exists = (i >= 0) & (i < geometry.out_height) & (down < geometry.window_height)
    exists = exists & (j >= 0) & (j < geometry.out_width)
    exists = exists & (across < geometry.window_width)
    u = (n * geometry.out_height + i) * geometry.out_width + j
    return u, down * geometry.window_width + across, exists


@triton.jit
def windows_over_a_pixel(geometry):
    """How many windows can lie over one pixel."""
    rows = tl.cdiv(geometry.window_height, geometry.stride_height)
    return rows * tl.cdiv(geometry.window_width, geometry.stride_width)


@triton.jit
def zero_sums(shape: tl.constexpr):
    """Start of the sums over a window that `add_tap` adds to."""
    return (tl.zeros(shape, tl.float32),) * 5


@triton.jit
def add_tap(sums, score, best, dot, inside, alpha, geometry):
    """Adds `w v`, `d w`, `d w v`, `d^2 w` and `d^2 w v`, `v` being the passed dot."""
    d = tl.where(inside, best - score, 0.0)
    w = tl.where(inside, weight_at(d, alpha, geometry), 0.0)
    v = dot * tl.where(inside, passed_score(score, geometry), 0.0)
    dw = d * w
    ddw = d * dw
    return (
        sums[0] + w * v,
        sums[1] + dw,
        sums[2] + dw * v,
        sums[3] + ddw,
        sums[4] + ddw * v,
    )


@triton.jit
def finish_window(sums, total, share, alpha, geometry):
    """Mean of the dots, and what a window gives to its best score and to alpha."""
    wv = tl.sum(sums[0], axis=1, keep_dims=True)
    dw = tl.sum(sums[1], axis=1, keep_dims=True)
    dwv = tl.sum(sums[2], axis=1, keep_dims=True)
    ddw = tl.sum(sums[3], axis=1, keep_dims=True)
    ddwv = tl.sum(sums[4], axis=1, keep_dims=True)
    mean = wv / total
    gaussian = geometry.weighting == GAUSSIAN
    first = share * (dwv - mean * dw)
    second = share * (ddwv - mean * ddw)
    of_best = tl.where(gaussian, 2.0 * alpha * (alpha * first), 0.0)
    of_alpha = tl.where(gaussian, -2.0 * alpha * second, -first)
    return mean, of_best, of_alpha


@triton.jit
def score_gradient(score, best, dot, mean, share, alpha, geometry):
    """What a window adds to the gradient of a score, but for what its best one gets."""
    distance = best - score
    weight = weight_at(distance, alpha, geometry)
    passed = passed_score(score, geometry)
    slope = weight_slope(weight, distance, passed, dot, mean, share, alpha, geometry)
    return alpha * slope + through_gating(weight, dot, share, geometry)
