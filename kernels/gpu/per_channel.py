"""Gradients where every channel has a score of its own.

Nothing is summed over channels, so the dot products of `window_pairs` are products of
two numbers here and are made anew when needed. Two kernels, and the sums of `finish`:

    window_statistics   what is the same for all pixels of a window, by channel
    pixel_gradients     gradients of features and scores, gathered from these
"""

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
    locate,
    passed_score,
    score_gradient,
    split_program,
    tap_count,
    tap_pixel,
    weight_at,
    window_count,
    window_over,
    windows_at,
    windows_over_a_pixel,
    zero_sums,
)


@triton.jit
def window_statistics(
    x,
    scores,
    alpha,
    gate,
    dy,
    best_scores,
    shares,
    means,
    of_bests,
    best_taps,
    largest_taps,
    alpha_sums,
    gate_sums,
    geometry,
    VECTOR: tl.constexpr,
    BLOCK_WINDOWS: tl.constexpr,
    BLOCK_TAPS: tl.constexpr,
    BLOCK_CHANNELS: tl.constexpr,
):
    """Statistics of windows, each the size of `dy`, and sums over blocks of windows."""
    channels = geometry.vectors * VECTOR
    block, _, start = split_program(channels, 1, BLOCK_CHANNELS)
    u = block * BLOCK_WINDOWS + tl.arange(0, BLOCK_WINDOWS)[:, None, None]
    lanes = tl.arange(0, BLOCK_TAPS)[None, :, None]
    c = start + tl.arange(0, BLOCK_CHANNELS)[None, None, :]
    exists = (u < window_count(geometry)) & (c < channels)
    windows = windows_at(u, exists, geometry)
    per_group = geometry.alpha_per_group
    sharpness = tl.load(alpha + c * per_group, mask=c < channels, other=0.0)
    best, best_tap, total = best_and_total(
        scores, channels, c, sharpness, windows, lanes, geometry
    )
    place = channels_at(u, 0, c, channels, 1)
    upstream = tl.load(dy + place, mask=exists, other=0.0).to(tl.float32)
    shape: tl.constexpr = (BLOCK_WINDOWS, BLOCK_TAPS, BLOCK_CHANNELS)
    sums = zero_sums(shape)
    of_base = tl.zeros(shape, tl.float32)
    largest = of_base - float("inf")
    largest_tap = tl.full(shape, NEVER, tl.int32)
    taps = tap_count(geometry)
    for first in range(0, taps, BLOCK_TAPS):
        tap = first + lanes
        pixel, inside = tap_pixel(tap, windows, geometry)
        offset = channels_at(pixel, 0, c, channels, 1)
        score = tl.load(scores + offset, mask=inside, other=0.0)
        value = tl.load(x + offset, mask=inside, other=0.0).to(tl.float32)
        dot = value * upstream
        sums = add_tap(sums, score, best, dot, inside, sharpness, geometry)
        of_base += dot * base_share(tap, windows, inside, geometry)
        seen = inside | ((geometry.base_sees_padding != 0) & (tap < taps))
        larger = seen & (value > largest)
        largest = tl.where(larger, value, largest)
        largest_tap = tl.where(larger, tap, largest_tap)
    opened, _ = branch_factors(gate, geometry)
    share = tl.where(exists, opened / total, 0.0)
    mean, of_best, of_alpha = finish_window(sums, total, share, sharpness, geometry)
    tl.store(best_scores + place, best, mask=exists)
    tl.store(shares + place, share, mask=exists)
    tl.store(means + place, mean, mask=exists)
    tl.store(of_bests + place, of_best, mask=exists)
    tl.store(best_taps + place, best_tap, mask=exists)
    of_base = tl.sum(of_base, axis=1, keep_dims=True)
    largest_value = tl.max(largest, axis=1, keep_dims=True)
    candidates = tl.where(largest == largest_value, largest_tap, NEVER)
    tap = tl.min(candidates, axis=1, keep_dims=True)
    _, inside = tap_pixel(tap, windows, geometry)
    has_max = geometry.base == MAX
    tl.store(
        largest_taps + place,
        tl.where(inside, tap, -1),
        mask=tl.where(has_max, exists, False),
    )
    of_base += tl.where(has_max, largest_value * upstream, 0.0)
    of_gate = tl.where(exists, mean - of_base, 0.0)
    tl.store(gate_sums + tl.program_id(0), tl.sum(of_gate))
    of_alpha = tl.sum(tl.where(exists, of_alpha, 0.0), axis=0, keep_dims=True)
    tl.store(alpha_sums + (block * channels + c), of_alpha, mask=c < channels)


@triton.jit
def pixel_gradients(
    x,
    scores,
    alpha,
    gate,
    dy,
    best_scores,
    shares,
    means,
    of_bests,
    best_taps,
    largest_taps,
    dx,
    dscores,
    geometry,
    VECTOR: tl.constexpr,
    BLOCK_PIXELS: tl.constexpr,
    BLOCK_CHANNELS: tl.constexpr,
):
    """Gradients of a block of pixels times a block of channels."""
    channels = geometry.vectors * VECTOR
    block, _, start = split_program(channels, 1, BLOCK_CHANNELS)
    pixel = block * BLOCK_PIXELS + tl.arange(0, BLOCK_PIXELS)[:, None]
    c = start + tl.arange(0, BLOCK_CHANNELS)[None, :]
    n, row, column = locate(pixel, geometry.height, geometry.width)
    real = (n < geometry.batch) & (c < channels)
    per_group = geometry.alpha_per_group
    sharpness = tl.load(alpha + c * per_group, mask=c < channels, other=0.0)
    _, kept = branch_factors(gate, geometry)
    place = channels_at(pixel, 0, c, channels, 1)
    value = tl.load(x + place, mask=real, other=0.0).to(tl.float32)
    score = tl.load(scores + place, mask=real, other=0.0)
    of_feature = tl.zeros((BLOCK_PIXELS, BLOCK_CHANNELS), tl.float32)
    of_score = tl.zeros((BLOCK_PIXELS, BLOCK_CHANNELS), tl.float32)
    for back in range(windows_over_a_pixel(geometry)):
        u, tap, exists = window_over(n, row, column, back, geometry)
        there = real & exists
        offset = channels_at(u, 0, c, channels, 1)
        upstream = tl.load(dy + offset, mask=there, other=0.0).to(tl.float32)
        best = tl.load(best_scores + offset, mask=there, other=0.0)
        share = tl.load(shares + offset, mask=there, other=0.0)
        mean = tl.load(means + offset, mask=there, other=0.0)
        of_best = tl.load(of_bests + offset, mask=there, other=0.0)
        best_tap = tl.load(best_taps + offset, mask=there, other=-1)
        has_max = geometry.base == MAX
        largest = tl.load(
            largest_taps + offset, mask=tl.where(has_max, there, False), other=-1
        )
        weight = weight_at(tl.where(there, best - score, 0.0), sharpness, geometry)
        factor = tl.where(there, weight * passed_score(score, geometry) * share, 0.0)
        windows = windows_at(u, exists, geometry)
        factor += kept * base_share(tap, windows, there, geometry)
        of_feature += factor * upstream
        of_feature += tl.where(largest == tap, kept * upstream, 0.0)
        dot = value * upstream
        gradient = score_gradient(score, best, dot, mean, share, sharpness, geometry)
        gradient -= tl.where(best_tap == tap, of_best, 0.0)
        of_score += tl.where(there, gradient, 0.0)
    tl.store(dx + place, of_feature.to(dx.dtype.element_ty), mask=real)
    tl.store(dscores + place, of_score, mask=real)
