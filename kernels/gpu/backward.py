"""Gradients where one score serves the channels of a pixel, or of a group of them.

Windows that do not overlap and are small go through `backward_known`, which does all
but the sums over windows. Other windows take four kernels, which hand each other one
number per window, tap and group in a table called `pairs`:

    window_weights        factor of the pixel in the window
    feature_gradients     (reads the factor,) dot product of pixel and upstream gradient
    pair_gradients        (reads the dot product,) what the window adds to the score
    finish                the sums of these

so that features are read once, and gradients are gathered, never scattered. With a
maximum as base, `window_maxima` first finds which tap is the largest of each channel.
"""

# Triton knows no unpacking into tuples.
# ruff: noqa: RUF005
import triton
import triton.language as tl

from .windows import (
    MAX,
    NEVER,
    add_tap,
    base_share,
    best_and_total,
    branch_factors,
    channels_at,
    finish_window,
    known_window,
    locate,
    pair_at,
    passed_score,
    pixel_at,
    score_gradient,
    split_program,
    tap_pixel,
    through_gating,
    weight_at,
    weight_slope,
    window_corner,
    window_count,
    window_over,
    windows_over_a_pixel,
    zero_sums,
)


@triton.jit
def backward_known(
    x,
    scores,
    alpha,
    gate,
    dy,
    dx,
    dscores,
    alpha_sums,
    gate_sums,
    geometry,
    WINDOW: tl.constexpr,
    HAS_MAX: tl.constexpr,
    VECTOR: tl.constexpr,
    BLOCK_WINDOWS: tl.constexpr,
    BLOCK_CHANNELS: tl.constexpr,
):
    """Small square windows that do not overlap.

    One program: a block of cells times all channels of a group. A cell is a window and
    the pixels between it and the next; cells past the last window have none.
    """
    TAPS: tl.constexpr = WINDOW * WINDOW
    channels = geometry.vectors * VECTOR
    block, group, _ = split_program(1, geometry.groups, 1)
    cell = block * BLOCK_WINDOWS + tl.arange(0, BLOCK_WINDOWS)[:, None]
    cell_rows = tl.cdiv(geometry.height + geometry.pad_top, geometry.stride_height)
    cell_columns = tl.cdiv(geometry.width + geometry.pad_left, geometry.stride_width)
    n, row, column = locate(cell, cell_rows, cell_columns)
    in_batch = n < geometry.batch
    exists = in_batch & (row < geometry.out_height) & (column < geometry.out_width)
    u = (n * geometry.out_height + row) * geometry.out_width + column
    top = row * geometry.stride_height - geometry.pad_top
    left = column * geometry.stride_width - geometry.pad_left
    sharpness = tl.load(alpha + group * geometry.alpha_per_group)
    opened, kept = branch_factors(gate, geometry)
    pixels, insides, values, distances, weights, best, total = known_window(
        scores,
        geometry.groups,
        group,
        sharpness,
        n,
        top,
        left,
        exists,
        geometry,
        TAPS,
    )
    share = tl.where(exists, opened / total, 0.0)
    factors = ()
    dots = ()
    for tap in tl.static_range(TAPS):
        factor = weights[tap] * passed_score(values[tap], geometry) * share
        factor += kept * base_share(tap, top, left, insides[tap], geometry)
        factors = factors + (factor,)
        dots = dots + (tl.zeros((BLOCK_WINDOWS, 1), tl.float32),)
    base_dot = tl.zeros((BLOCK_WINDOWS, 1), tl.float32)
    for start in range(0, channels, BLOCK_CHANNELS):
        c = start + tl.arange(0, BLOCK_CHANNELS)[None, :]
        offset = channels_at(u, group, c, channels, geometry.groups)
        upstream = tl.load(dy + offset, mask=exists & (c < channels), other=0.0)
        upstream = upstream.to(tl.float32)
        offsets, features, sums = (), (), ()
        for tap in tl.static_range(TAPS):
            offset = channels_at(pixels[tap], group, c, channels, geometry.groups)
            value = tl.load(x + offset, mask=insides[tap] & (c < channels), other=0.0)
            value = value.to(tl.float32)
            dot = tl.sum(value * upstream, axis=1, keep_dims=True)
            offsets = offsets + (offset,)
            features = features + (value,)
            sums = sums + (dots[tap] + dot,)
        dots = sums
        if HAS_MAX:
            largest = tl.full(
                (BLOCK_WINDOWS, BLOCK_CHANNELS), -float("inf"), tl.float32
            )
            largest_tap = tl.full((BLOCK_WINDOWS, BLOCK_CHANNELS), NEVER, tl.int32)
            for tap in tl.static_range(TAPS):
                seen = insides[tap] | (geometry.base_sees_padding != 0)
                larger = seen & (features[tap] > largest)
                largest = tl.where(larger, features[tap], largest)
                largest_tap = tl.where(larger, tap, largest_tap)
            of_base = tl.where(exists & (c < channels), largest * upstream, 0.0)
            base_dot += tl.sum(of_base, axis=1, keep_dims=True)
        for tap in tl.static_range(TAPS):
            gradient = factors[tap] * upstream
            if HAS_MAX:
                gradient += tl.where(largest_tap == tap, kept * upstream, 0.0)
            tl.store(
                dx + offsets[tap],
                gradient.to(dx.dtype.element_ty),
                mask=insides[tap] & (c < channels),
            )
    mean = tl.zeros((BLOCK_WINDOWS, 1), tl.float32)
    for tap in tl.static_range(TAPS):
        mean += weights[tap] * passed_score(values[tap], geometry) * dots[tap]
        if not HAS_MAX:
            base_dot += dots[tap] * base_share(tap, top, left, insides[tap], geometry)
    mean = mean / total
    of_alpha = tl.zeros((BLOCK_WINDOWS, 1), tl.float32)
    of_best = tl.zeros((BLOCK_WINDOWS, 1), tl.float32)
    slopes = ()
    for tap in tl.static_range(TAPS):
        slope = weight_slope(
            weights[tap],
            distances[tap],
            passed_score(values[tap], geometry),
            dots[tap],
            mean,
            share,
            sharpness,
            geometry,
        )
        of_alpha += distances[tap] * slope
        of_best += sharpness * slope
        slopes = slopes + (sharpness * slope,)
    for tap in tl.static_range(TAPS):
        gradient = slopes[tap] - tl.where(best == tap, of_best, 0.0)
        gradient += through_gating(weights[tap], dots[tap], share, geometry)
        place = pixels[tap].to(tl.int64) * geometry.groups + group
        tl.store(dscores + place, gradient, mask=insides[tap])
    tl.store(alpha_sums + tl.program_id(0), -tl.sum(tl.where(exists, of_alpha, 0.0)))
    of_gate = tl.where(exists, mean - base_dot, 0.0)
    tl.store(gate_sums + tl.program_id(0), tl.sum(of_gate))
    spread = (geometry.stride_height > WINDOW) | (geometry.stride_width > WINDOW)
    beyond = (cell_rows > geometry.out_height) | (cell_columns > geometry.out_width)
    if spread | beyond:
        clear_uncovered(
            dx,
            dscores,
            n,
            row,
            column,
            in_batch,
            group,
            channels,
            geometry,
            WINDOW,
            BLOCK_CHANNELS,
        )


@triton.jit
def clear_uncovered(
    dx,
    dscores,
    n,
    row,
    column,
    in_batch,
    group,
    channels,
    geometry,
    WINDOW: tl.constexpr,
    BLOCK_CHANNELS: tl.constexpr,
):
    """Zeros for the pixels of cells that lie under no window."""
    exists = (row < geometry.out_height) & (column < geometry.out_width)
    for phase in range(geometry.stride_height * geometry.stride_width):
        i, j = phase // geometry.stride_width, phase % geometry.stride_width
        pixel, inside = pixel_at(
            n,
            row * geometry.stride_height - geometry.pad_top + i,
            column * geometry.stride_width - geometry.pad_left + j,
            geometry,
        )
        covered = exists & (i < WINDOW) & (j < WINDOW)
        cleared = inside & in_batch & (covered == 0)
        zero = tl.zeros_like(row).to(tl.float32)
        place = pixel.to(tl.int64) * geometry.groups + group
        tl.store(dscores + place, zero, mask=cleared)
        for start in range(0, channels, BLOCK_CHANNELS):
            c = start + tl.arange(0, BLOCK_CHANNELS)[None, :]
            offset = channels_at(pixel, group, c, channels, geometry.groups)
            tl.store(
                dx + offset,
                tl.zeros_like(row + c).to(dx.dtype.element_ty),
                mask=cleared & (c < channels),
            )


@triton.jit
def window_maxima(
    x,
    dy,
    largest_taps,
    gate_sums,
    first_sum,
    geometry,
    VECTOR: tl.constexpr,
    BLOCK_WINDOWS: tl.constexpr,
    BLOCK_TAPS: tl.constexpr,
    BLOCK_CHANNELS: tl.constexpr,
):
    """Which tap of each window is the first largest, or -1 if that is a padded zero."""
    channels = geometry.vectors * VECTOR
    block, group, start = split_program(channels, geometry.groups, BLOCK_CHANNELS)
    u = block * BLOCK_WINDOWS + tl.arange(0, BLOCK_WINDOWS)[:, None, None]
    lanes = tl.arange(0, BLOCK_TAPS)[None, :, None]
    c = start + tl.arange(0, BLOCK_CHANNELS)[None, None, :]
    exists = u < window_count(geometry)
    n, top, left = window_corner(u, geometry)
    shape: tl.constexpr = (BLOCK_WINDOWS, BLOCK_TAPS, BLOCK_CHANNELS)
    largest = tl.full(shape, -float("inf"), tl.float32)
    largest_tap = tl.full(shape, NEVER, tl.int32)
    taps = geometry.window_height * geometry.window_width
    for first in range(0, taps, BLOCK_TAPS):
        tap = first + lanes
        pixel, inside = tap_pixel(tap, n, top, left, exists & (tap < taps), geometry)
        offset = channels_at(pixel, group, c, channels, geometry.groups)
        value = tl.load(x + offset, mask=inside & (c < channels), other=0.0)
        seen = inside | ((geometry.base_sees_padding != 0) & (tap < taps))
        larger = seen & (value.to(tl.float32) > largest)
        largest = tl.where(larger, value.to(tl.float32), largest)
        largest_tap = tl.where(larger, tap, largest_tap)
    best = tl.max(largest, axis=1, keep_dims=True)
    candidates = tl.where(largest == best, largest_tap, NEVER)
    tap = tl.min(candidates, axis=1, keep_dims=True)
    _, inside = tap_pixel(tap, n, top, left, exists & (tap < taps), geometry)
    offset = channels_at(u, group, c, channels, geometry.groups)
    real = exists & (c < channels)
    tl.store(largest_taps + offset, tl.where(inside, tap, -1), mask=real)
    upstream = tl.load(dy + offset, mask=real, other=0.0).to(tl.float32)
    of_gate = tl.sum(tl.where(real, -best * upstream, 0.0))
    tl.store(gate_sums + first_sum + tl.program_id(0), of_gate)


@triton.jit
def window_weights(
    scores,
    alpha,
    gate,
    pairs,
    geometry,
    BLOCK_WINDOWS: tl.constexpr,
    BLOCK_TAPS: tl.constexpr,
):
    """Fills `pairs` with the factors of pixels in windows, linear bases included."""
    block, group, _ = split_program(1, geometry.groups, 1)
    u = block * BLOCK_WINDOWS + tl.arange(0, BLOCK_WINDOWS)[:, None]
    lanes = tl.arange(0, BLOCK_TAPS)[None, :]
    exists = u < window_count(geometry)
    n, top, left = window_corner(u, geometry)
    sharpness = tl.load(alpha + group * geometry.alpha_per_group)
    best, _, total = best_and_total(
        scores,
        geometry.groups,
        group,
        sharpness,
        n,
        top,
        left,
        exists,
        lanes,
        geometry,
        BLOCK_TAPS,
    )
    opened, kept = branch_factors(gate, geometry)
    share = opened / total
    taps = geometry.window_height * geometry.window_width
    for first in range(0, taps, BLOCK_TAPS):
        tap = first + lanes
        pixel, inside = tap_pixel(tap, n, top, left, exists & (tap < taps), geometry)
        place = pixel.to(tl.int64) * geometry.groups + group
        score = tl.load(scores + place, mask=inside, other=0.0)
        weight = weight_at(tl.where(inside, best - score, 0.0), sharpness, geometry)
        factor = weight * passed_score(score, geometry) * share
        factor += kept * base_share(tap, top, left, inside, geometry)
        tl.store(pairs + pair_at(u, group, tap, geometry), factor, mask=inside)


@triton.constexpr_function
def back_of(tap, window, stride):
    """Which of the windows over a cell sees the cell's pixels at this tap."""
    reach = (window + stride - 1) // stride
    return tap // window // stride * reach + tap % window // stride


@triton.constexpr_function
def phase_of(tap, window, stride):
    """Which pixel of a cell such a window sees there."""
    return tap // window % stride * stride + tap % window % stride


@triton.jit
def feature_gradients_known(
    x,
    gate,
    dy,
    largest_taps,
    dx,
    pairs,
    geometry,
    WINDOW: tl.constexpr,
    STRIDE: tl.constexpr,
    HAS_MAX: tl.constexpr,
    VECTOR: tl.constexpr,
    BLOCK_CELLS: tl.constexpr,
    BLOCK_CHANNELS: tl.constexpr,
):
    """Gradient of the features, and dot products, for known overlapping windows.

    One program: a block of cells, which are `STRIDE` pixels wide and high, times all
    channels of a group. A cell's pixels lie under the window that starts with it and
    under some that start `STRIDE`, `2 STRIDE`... earlier.
    """
    REACH: tl.constexpr = (WINDOW + STRIDE - 1) // STRIDE
    TAPS: tl.constexpr = WINDOW * WINDOW
    channels = geometry.vectors * VECTOR
    block, group, _ = split_program(1, geometry.groups, 1)
    cell = block * BLOCK_CELLS + tl.arange(0, BLOCK_CELLS)[:, None]
    cell_rows = tl.cdiv(geometry.height + geometry.pad_top, STRIDE)
    cell_columns = tl.cdiv(geometry.width + geometry.pad_left, STRIDE)
    n, row, column = locate(cell, cell_rows, cell_columns)
    in_batch = n < geometry.batch
    _, kept = branch_factors(gate, geometry)
    windows, exist = (), ()
    for back in tl.static_range(REACH * REACH):
        i, j = row - back // REACH, column - back % REACH
        windows = windows + ((n * geometry.out_height + i) * geometry.out_width + j,)
        in_column = (i >= 0) & (i < geometry.out_height) & in_batch
        exist = exist + (in_column & (j >= 0) & (j < geometry.out_width),)
    pixels, insides = (), ()
    for phase in tl.static_range(STRIDE * STRIDE):
        pixel, inside = pixel_at(
            n,
            row * STRIDE - geometry.pad_top + phase // STRIDE,
            column * STRIDE - geometry.pad_left + phase % STRIDE,
            geometry,
        )
        pixels = pixels + (pixel,)
        insides = insides + (inside & in_batch,)
    factors, places, paired, dots = (), (), (), ()
    for tap in tl.static_range(TAPS):
        pair = (
            exist[back_of(tap, WINDOW, STRIDE)] & insides[phase_of(tap, WINDOW, STRIDE)]
        )
        place = pair_at(windows[back_of(tap, WINDOW, STRIDE)], group, tap, geometry)
        factors = factors + (tl.load(pairs + place, mask=pair, other=0.0),)
        places = places + (place,)
        paired = paired + (pair,)
        dots = dots + (tl.zeros((BLOCK_CELLS, 1), tl.float32),)
    for start in range(0, channels, BLOCK_CHANNELS):
        c = start + tl.arange(0, BLOCK_CHANNELS)[None, :]
        upstreams, largest = (), ()
        for back in tl.static_range(REACH * REACH):
            offset = channels_at(windows[back], group, c, channels, geometry.groups)
            there = exist[back] & (c < channels)
            upstream = tl.load(dy + offset, mask=there, other=0.0)
            upstreams = upstreams + (upstream.to(tl.float32),)
            if HAS_MAX:
                tap = tl.load(largest_taps + offset, mask=there, other=-1)
                largest = largest + (tap,)
        offsets, features, gradients = (), (), ()
        for phase in tl.static_range(STRIDE * STRIDE):
            offset = channels_at(pixels[phase], group, c, channels, geometry.groups)
            there = insides[phase] & (c < channels)
            value = tl.load(x + offset, mask=there, other=0.0).to(tl.float32)
            offsets = offsets + (offset,)
            features = features + (value,)
            gradient = tl.zeros((BLOCK_CELLS, BLOCK_CHANNELS), tl.float32)
            for tap in tl.static_range(TAPS):
                if phase_of(tap, WINDOW, STRIDE) == phase:
                    upstream = upstreams[back_of(tap, WINDOW, STRIDE)]
                    gradient += factors[tap] * upstream
                    if HAS_MAX:
                        is_largest = largest[back_of(tap, WINDOW, STRIDE)] == tap
                        gradient += tl.where(is_largest, kept * upstream, 0.0)
            gradients = gradients + (gradient,)
        sums = ()
        for tap in tl.static_range(TAPS):
            value = features[phase_of(tap, WINDOW, STRIDE)]
            product = value * upstreams[back_of(tap, WINDOW, STRIDE)]
            sums = sums + (dots[tap] + tl.sum(product, axis=1, keep_dims=True),)
        dots = sums
        for phase in tl.static_range(STRIDE * STRIDE):
            tl.store(
                dx + offsets[phase],
                gradients[phase].to(dx.dtype.element_ty),
                mask=insides[phase] & (c < channels),
            )
    # Threads share rows: all must have read the factors before any writes there.
    tl.debug_barrier()
    for tap in tl.static_range(TAPS):
        tl.store(pairs + places[tap], dots[tap], mask=paired[tap])


@triton.jit
def feature_gradients_any(
    x,
    gate,
    dy,
    largest_taps,
    dx,
    pairs,
    geometry,
    VECTOR: tl.constexpr,
    BLOCK_PIXELS: tl.constexpr,
    BLOCK_CHANNELS: tl.constexpr,
):
    """Gradient of the features, and dot products, for any windows.

    One program: a block of input pixels times all channels of a group.
    """
    channels = geometry.vectors * VECTOR
    block, group, _ = split_program(1, geometry.groups, 1)
    pixel = block * BLOCK_PIXELS + tl.arange(0, BLOCK_PIXELS)[:, None]
    n, row, column = locate(pixel, geometry.height, geometry.width)
    in_batch = n < geometry.batch
    _, kept = branch_factors(gate, geometry)
    has_max = geometry.base == MAX
    reach = windows_over_a_pixel(geometry)
    for start in range(0, channels, BLOCK_CHANNELS):
        c = start + tl.arange(0, BLOCK_CHANNELS)[None, :]
        gradient = tl.zeros((BLOCK_PIXELS, BLOCK_CHANNELS), tl.float32)
        for back in range(reach):
            u, tap, exists = window_over(n, row, column, back, geometry)
            exists = exists & in_batch
            there = exists & (c < channels)
            place = pair_at(u, group, tap, geometry)
            factor = tl.load(pairs + place, mask=exists, other=0.0)
            offset = channels_at(u, group, c, channels, geometry.groups)
            upstream = tl.load(dy + offset, mask=there, other=0.0).to(tl.float32)
            largest = tl.load(
                largest_taps + offset, mask=tl.where(has_max, there, False), other=-1
            )
            gradient += factor * upstream
            gradient += tl.where(largest == tap, kept * upstream, 0.0)
        offset = channels_at(pixel, group, c, channels, geometry.groups)
        gradient = gradient.to(dx.dtype.element_ty)
        tl.store(dx + offset, gradient, mask=in_batch & (c < channels))
    # Threads share rows: all must have read the factors before any writes there.
    tl.debug_barrier()
    for back in range(reach):
        u, tap, exists = window_over(n, row, column, back, geometry)
        exists = exists & in_batch
        dot = tl.zeros((BLOCK_PIXELS, 1), tl.float32)
        for start in range(0, channels, BLOCK_CHANNELS):
            c = start + tl.arange(0, BLOCK_CHANNELS)[None, :]
            there = exists & (c < channels)
            offset = channels_at(pixel, group, c, channels, geometry.groups)
            value = tl.load(x + offset, mask=there, other=0.0).to(tl.float32)
            offset = channels_at(u, group, c, channels, geometry.groups)
            upstream = tl.load(dy + offset, mask=there, other=0.0).to(tl.float32)
            dot += tl.sum(value * upstream, axis=1, keep_dims=True)
        tl.store(pairs + pair_at(u, group, tap, geometry), dot, mask=exists)


@triton.jit
def pair_gradients(
    scores,
    alpha,
    gate,
    pairs,
    alpha_sums,
    gate_sums,
    geometry,
    BLOCK_WINDOWS: tl.constexpr,
    BLOCK_TAPS: tl.constexpr,
):
    """Turns dot products in `pairs` into what windows add to gradients of scores."""
    block, group, _ = split_program(1, geometry.groups, 1)
    u = block * BLOCK_WINDOWS + tl.arange(0, BLOCK_WINDOWS)[:, None]
    lanes = tl.arange(0, BLOCK_TAPS)[None, :]
    exists = u < window_count(geometry)
    n, top, left = window_corner(u, geometry)
    sharpness = tl.load(alpha + group * geometry.alpha_per_group)
    best, best_tap, total = best_and_total(
        scores,
        geometry.groups,
        group,
        sharpness,
        n,
        top,
        left,
        exists,
        lanes,
        geometry,
        BLOCK_TAPS,
    )
    taps = geometry.window_height * geometry.window_width
    sums = zero_sums((BLOCK_WINDOWS, BLOCK_TAPS))
    of_base = tl.zeros((BLOCK_WINDOWS, BLOCK_TAPS), tl.float32)
    for first in range(0, taps, BLOCK_TAPS):
        tap = first + lanes
        pixel, inside = tap_pixel(tap, n, top, left, exists & (tap < taps), geometry)
        place = pixel.to(tl.int64) * geometry.groups + group
        score = tl.load(scores + place, mask=inside, other=0.0)
        place = pair_at(u, group, tap, geometry)
        dot = tl.load(pairs + place, mask=inside, other=0.0)
        sums = add_tap(sums, score, best, dot, inside, sharpness, geometry)
        of_base += dot * base_share(tap, top, left, inside, geometry)
    opened, _ = branch_factors(gate, geometry)
    share = tl.where(exists, opened / total, 0.0)
    mean, of_best, of_alpha = finish_window(sums, total, share, sharpness, geometry)
    for first in range(0, taps, BLOCK_TAPS):
        tap = first + lanes
        pixel, inside = tap_pixel(tap, n, top, left, exists & (tap < taps), geometry)
        place = pixel.to(tl.int64) * geometry.groups + group
        score = tl.load(scores + place, mask=inside, other=0.0)
        place = pair_at(u, group, tap, geometry)
        dot = tl.load(pairs + place, mask=inside, other=0.0)
        gradient = score_gradient(score, best, dot, mean, share, sharpness, geometry)
        gradient -= tl.where(tap == best_tap, of_best, 0.0)
        tl.store(pairs + place, gradient, mask=inside)
    tl.store(alpha_sums + tl.program_id(0), tl.sum(tl.where(exists, of_alpha, 0.0)))
    of_base = tl.sum(of_base, axis=1, keep_dims=True)
    tl.store(
        gate_sums + tl.program_id(0), tl.sum(tl.where(exists, mean - of_base, 0.0))
    )


@triton.jit
def finish(
    pairs,
    dscores,
    alpha_sums,
    gate_sums,
    dalpha,
    dgate,
    alpha_rows,
    alpha_columns,
    gate_count,
    geometry,
    BLOCK_SUMS: tl.constexpr,
    BLOCK_COLUMNS: tl.constexpr,
    BLOCK_PIXELS: tl.constexpr,
):
    """Adds up what programs and windows left, in a fixed order.

    The first program sums up the gradient of the gate, the next ones that of alpha, all
    others that of a block of scores. The sums over programs are made in float64.
    """
    alpha_programs = tl.where(
        geometry.alpha_per_group != 0, tl.cdiv(alpha_columns, BLOCK_COLUMNS), 1
    )
    program = tl.program_id(0)
    if program == 0:
        tl.store(dgate, sum_all(gate_sums, gate_count, BLOCK_SUMS))
    elif program > alpha_programs:
        block = program - alpha_programs - 1
        sum_pairs(pairs, dscores, block, geometry, BLOCK_PIXELS)
    elif geometry.alpha_per_group != 0:
        column = (program - 1) * BLOCK_COLUMNS + tl.arange(0, BLOCK_COLUMNS)[None, :]
        rows = tl.arange(0, BLOCK_SUMS // BLOCK_COLUMNS)[:, None]
        total = tl.zeros((BLOCK_SUMS // BLOCK_COLUMNS, BLOCK_COLUMNS), tl.float64)
        for first in range(0, alpha_rows, BLOCK_SUMS // BLOCK_COLUMNS):
            row = first + rows
            there = (row < alpha_rows) & (column < alpha_columns)
            offset = row * alpha_columns + column
            total += tl.load(alpha_sums + offset, mask=there, other=0.0).to(tl.float64)
        total = tl.sum(total, axis=0, keep_dims=True).to(tl.float32)
        tl.store(dalpha + column, total, mask=column < alpha_columns)
    else:
        tl.store(dalpha, sum_all(alpha_sums, alpha_rows * alpha_columns, BLOCK_SUMS))


@triton.jit
def sum_all(values, count, BLOCK_SUMS: tl.constexpr):
    """The sum of all values, made in float64."""
    total = tl.zeros((BLOCK_SUMS,), tl.float64)
    for first in range(0, count, BLOCK_SUMS):
        index = first + tl.arange(0, BLOCK_SUMS)
        total += tl.load(values + index, mask=index < count, other=0.0).to(tl.float64)
    return tl.sum(total).to(tl.float32)


@triton.jit
def sum_pairs(pairs, dscores, block, geometry, BLOCK_PIXELS: tl.constexpr):
    """Gradient of the scores of a block of pixels, all groups' scores in turn."""
    index = block.to(tl.int64) * BLOCK_PIXELS + tl.arange(0, BLOCK_PIXELS)
    group = (index % geometry.groups).to(tl.int32)
    pixel = (index // geometry.groups).to(tl.int32)
    n, row, column = locate(pixel, geometry.height, geometry.width)
    in_batch = n < geometry.batch
    gradient = tl.zeros((BLOCK_PIXELS,), tl.float32)
    for back in range(windows_over_a_pixel(geometry)):
        u, tap, exists = window_over(n, row, column, back, geometry)
        place = pair_at(u, group, tap, geometry)
        gradient += tl.load(pairs + place, mask=exists & in_batch, other=0.0)
    tl.store(dscores + index, gradient, mask=in_batch)
