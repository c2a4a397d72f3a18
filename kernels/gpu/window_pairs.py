"""Gradients of scores where windows overlap or are large.

One score serves the channels of a pixel, or of a group of them. Four kernels, those of
other files included, hand each other one number per window, tap and group in a table
called `pairs`:

    window_weights        factor of the pixel in the window
    feature_gradients     (reads the factor,) dot product of pixel and upstream gradient
    pair_gradients        (reads the dot product,) what the window adds to the score
    finish                the sums of these

so that features are read once, and gradients are gathered, never scattered. With a
maximum as base, `window_maxima` first finds which tap is the largest of each channel.
"""

import triton
import triton.language as tl

from .windows import (
    NEVER,
    add_tap,
    base_share,
    best_and_total,
    branch_factors,
    channels_at,
    finish_window,
    pair_at,
    passed_score,
    score_gradient,
    split_program,
    tap_count,
    tap_pixel,
    weight_at,
    window_count,
    windows_at,
    zero_sums,
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
    windows = windows_at(u, exists, geometry)
    shape: tl.constexpr = (BLOCK_WINDOWS, BLOCK_TAPS, BLOCK_CHANNELS)
    largest = tl.full(shape, -float("inf"), tl.float32)
    largest_tap = tl.full(shape, NEVER, tl.int32)
    taps = tap_count(geometry)
    for first in range(0, taps, BLOCK_TAPS):
        tap = first + lanes
        pixel, inside = tap_pixel(tap, windows, geometry)
        offset = channels_at(pixel, group, c, channels, geometry.groups)
        value = tl.load(x + offset, mask=inside & (c < channels), other=0.0)
        seen = inside | ((geometry.base_sees_padding != 0) & (tap < taps))
        larger = seen & (value.to(tl.float32) > largest)
        largest = tl.where(larger, value.to(tl.float32), largest)
        largest_tap = tl.where(larger, tap, largest_tap)
    best = tl.max(largest, axis=1, keep_dims=True)
    candidates = tl.where(largest == best, largest_tap, NEVER)
    tap = tl.min(candidates, axis=1, keep_dims=True)
    _, inside = tap_pixel(tap, windows, geometry)
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
    windows = windows_at(u, exists, geometry)
    sharpness = tl.load(alpha + group * geometry.alpha_per_group)
    best, _, total = best_and_total(
        scores, geometry.groups, group, sharpness, windows, lanes, geometry
    )
    opened, kept = branch_factors(gate, geometry)
    share = opened / total
    taps = tap_count(geometry)
    for first in range(0, taps, BLOCK_TAPS):
        tap = first + lanes
        pixel, inside = tap_pixel(tap, windows, geometry)
        place = pixel.to(tl.int64) * geometry.groups + group
        score = tl.load(scores + place, mask=inside, other=0.0)
        weight = weight_at(tl.where(inside, best - score, 0.0), sharpness, geometry)
        factor = weight * passed_score(score, geometry) * share
        factor += kept * base_share(tap, windows, inside, geometry)
        tl.store(pairs + pair_at(u, group, tap, geometry), factor, mask=inside)


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
    windows = windows_at(u, exists, geometry)
    sharpness = tl.load(alpha + group * geometry.alpha_per_group)
    best, best_tap, total = best_and_total(
        scores, geometry.groups, group, sharpness, windows, lanes, geometry
    )
    taps = tap_count(geometry)
    sums = zero_sums((BLOCK_WINDOWS, BLOCK_TAPS))
    of_base = tl.zeros((BLOCK_WINDOWS, BLOCK_TAPS), tl.float32)
    for first in range(0, taps, BLOCK_TAPS):
        tap = first + lanes
        pixel, inside = tap_pixel(tap, windows, geometry)
        place = pixel.to(tl.int64) * geometry.groups + group
        score = tl.load(scores + place, mask=inside, other=0.0)
        place = pair_at(u, group, tap, geometry)
        dot = tl.load(pairs + place, mask=inside, other=0.0)
        sums = add_tap(sums, score, best, dot, inside, sharpness, geometry)
        of_base += dot * base_share(tap, windows, inside, geometry)
    opened, _ = branch_factors(gate, geometry)
    share = tl.where(exists, opened / total, 0.0)
    mean, of_best, of_alpha = finish_window(sums, total, share, sharpness, geometry)
    for first in range(0, taps, BLOCK_TAPS):
        tap = first + lanes
        pixel, inside = tap_pixel(tap, windows, geometry)
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
