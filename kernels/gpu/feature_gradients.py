"""Gradients of features where windows overlap or are large.

The kernels read factors in the table of `window_pairs`, and leave dot products there.
"""

# Triton knows no unpacking into tuples.
# ruff: noqa: RUF005
import triton
import triton.language as tl

from .windows import (
    MAX,
    branch_factors,
    channels_at,
    locate,
    pair_at,
    pixel_at,
    split_program,
    window_over,
    windows_over_a_pixel,
)


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
