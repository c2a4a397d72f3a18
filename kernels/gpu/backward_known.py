"""All gradients of windows that do not overlap and are small, in one kernel.

One score serves the channels of a pixel, or of a group of them. Only the sums over
windows are left to `finish`.
"""

# Triton knows no unpacking into tuples.
# ruff: noqa: RUF005
import triton
import triton.language as tl

from .windows import (
    NEVER,
    base_share,
    branch_factors,
    channels_at,
    known_window,
    locate,
    passed_score,
    pixel_at,
    split_program,
    through_gating,
    weight_slope,
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
    exists = (row < geometry.out_height) & (column < geometry.out_width)
    exists = exists & (n < geometry.batch)
    u = (n * geometry.out_height + row) * geometry.out_width + column
    top = row * geometry.stride_height - geometry.pad_top
    left = column * geometry.stride_width - geometry.pad_left
    windows = n, top, left, exists
    sharpness = tl.load(alpha + group * geometry.alpha_per_group)
    opened, kept = branch_factors(gate, geometry)
    pixels, insides, values, distances, weights, best, total = known_window(
        scores, group, sharpness, windows, geometry, WINDOW
    )
    share = tl.where(exists, opened / total, 0.0)
    factors = ()
    dots = ()
    for tap in tl.static_range(TAPS):
        factor = weights[tap] * passed_score(values[tap], geometry) * share
        factor += kept * base_share(tap, windows, insides[tap], geometry)
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
            base_dot += dots[tap] * base_share(tap, windows, insides[tap], geometry)
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
            dx, dscores, windows, group, channels, geometry, WINDOW, BLOCK_CHANNELS
        )


@triton.jit
def clear_uncovered(
    dx,
    dscores,
    windows,
    group,
    channels,
    geometry,
    WINDOW: tl.constexpr,
    BLOCK_CHANNELS: tl.constexpr,
):
    """Zeros for the pixels of cells that lie under no window."""
    n, top, left, exists = windows
    for phase in range(geometry.stride_height * geometry.stride_width):
        i, j = phase // geometry.stride_width, phase % geometry.stride_width
        pixel, inside = pixel_at(n, top + i, left + j, geometry)
        covered = exists & (i < WINDOW) & (j < WINDOW)
        cleared = inside & (n < geometry.batch) & (covered == 0)
        zero = tl.zeros_like(n).to(tl.float32)
        place = pixel.to(tl.int64) * geometry.groups + group
        tl.store(dscores + place, zero, mask=cleared)
        for start in range(0, channels, BLOCK_CHANNELS):
            c = start + tl.arange(0, BLOCK_CHANNELS)[None, :]
            offset = channels_at(pixel, group, c, channels, geometry.groups)
            tl.store(
                dx + offset,
                tl.zeros_like(n + c).to(dx.dtype.element_ty),
                mask=cleared & (c < channels),
            )
