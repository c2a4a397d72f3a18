"""The pooled features. One program: a block of windows times a block of channels."""

import triton
import triton.language as tl

from .windows import (
    MAX,
    base_share,
    best_and_total,
    branch_factors,
    channels_at,
    known_window,
    passed_score,
    split_program,
    tap_count,
    tap_pixel,
    weight_at,
    window_count,
    windows_at,
)


@triton.jit
def forward_known(
    x,
    scores,
    alpha,
    gate,
    y,
    geometry,
    WINDOW: tl.constexpr,
    VECTOR: tl.constexpr,
    BLOCK_WINDOWS: tl.constexpr,
    BLOCK_CHANNELS: tl.constexpr,
):
    """Small square windows, unrolled; one score per pixel and group."""
    channels = geometry.vectors * VECTOR
    block, group, start = split_program(channels, geometry.groups, BLOCK_CHANNELS)
    u = block * BLOCK_WINDOWS + tl.arange(0, BLOCK_WINDOWS)[:, None]
    c = start + tl.arange(0, BLOCK_CHANNELS)[None, :]
    exists = u < window_count(geometry)
    windows = windows_at(u, exists, geometry)
    sharpness = tl.load(alpha + group * geometry.alpha_per_group)
    pixels, insides, values, _, weights, _, total = known_window(
        scores, group, sharpness, windows, geometry, WINDOW
    )
    opened, kept = branch_factors(gate, geometry)
    share = opened / total
    pooled = tl.zeros((BLOCK_WINDOWS, BLOCK_CHANNELS), tl.float32)
    largest = pooled - float("inf")
    for tap in tl.static_range(WINDOW * WINDOW):
        inside = insides[tap]
        linear = kept * base_share(tap, windows, inside, geometry)
        passed = passed_score(values[tap], geometry)
        factor = tl.where(inside, weights[tap] * passed * share, 0.0) + linear
        place = channels_at(pixels[tap], group, c, channels, geometry.groups)
        value = tl.load(x + place, mask=inside & (c < channels), other=0.0)
        value = value.to(tl.float32)
        pooled += factor * value
        seen = inside | (geometry.base_sees_padding != 0)
        largest = tl.maximum(largest, tl.where(seen, value, -float("inf")))
    pooled += tl.where(geometry.base == MAX, kept * largest, 0.0)
    place = channels_at(u, group, c, channels, geometry.groups)
    tl.store(y + place, pooled.to(y.dtype.element_ty), mask=exists & (c < channels))


@triton.jit
def forward_any(
    x,
    scores,
    alpha,
    gate,
    y,
    geometry,
    PER_CHANNEL: tl.constexpr,
    VECTOR: tl.constexpr,
    BLOCK_WINDOWS: tl.constexpr,
    BLOCK_TAPS: tl.constexpr,
    BLOCK_CHANNELS: tl.constexpr,
):
    """Windows of any size, by blocks of taps; one score per group or per channel."""
    channels = geometry.vectors * VECTOR
    block, group, start = split_program(channels, geometry.groups, BLOCK_CHANNELS)
    u = block * BLOCK_WINDOWS + tl.arange(0, BLOCK_WINDOWS)[:, None, None]
    lanes = tl.arange(0, BLOCK_TAPS)[None, :, None]
    c = start + tl.arange(0, BLOCK_CHANNELS)[None, None, :]
    if PER_CHANNEL:
        place, score_stride = c, channels
    else:
        place, score_stride = tl.full((1, 1, 1), group, tl.int32), geometry.groups
    scored = place < score_stride
    exists = (u < window_count(geometry)) & scored
    windows = windows_at(u, exists, geometry)
    per_group = geometry.alpha_per_group
    sharpness = tl.load(alpha + place * per_group, mask=scored, other=0.0)
    best, _, total = best_and_total(
        scores, score_stride, place, sharpness, windows, lanes, geometry
    )
    opened, kept = branch_factors(gate, geometry)
    share = opened / total
    pooled = tl.zeros((BLOCK_WINDOWS, BLOCK_TAPS, BLOCK_CHANNELS), tl.float32)
    largest = pooled - float("inf")
    taps = tap_count(geometry)
    for first in range(0, taps, BLOCK_TAPS):
        tap = first + lanes
        pixel, inside = tap_pixel(tap, windows, geometry)
        offset = pixel.to(tl.int64) * score_stride + place
        score = tl.load(scores + offset, mask=inside, other=0.0)
        weight = weight_at(tl.where(inside, best - score, 0.0), sharpness, geometry)
        factor = tl.where(inside, weight * passed_score(score, geometry) * share, 0.0)
        factor += kept * base_share(tap, windows, inside, geometry)
        offset = channels_at(pixel, group, c, channels, geometry.groups)
        value = tl.load(x + offset, mask=inside & (c < channels), other=0.0)
        value = value.to(tl.float32)
        pooled += factor * value
        seen = inside | ((geometry.base_sees_padding != 0) & (tap < taps))
        largest = tl.maximum(largest, tl.where(seen, value, -float("inf")))
    pooled = tl.sum(pooled, axis=1, keep_dims=True)
    largest = tl.max(largest, axis=1, keep_dims=True)
    pooled += tl.where(geometry.base == MAX, kept * largest, 0.0)
    offset = channels_at(u, group, c, channels, geometry.groups)
    tl.store(y + offset, pooled.to(y.dtype.element_ty), mask=exists & (c < channels))
