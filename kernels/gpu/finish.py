"""Sums of what the programs and windows of other kernels left."""

import triton
import triton.language as tl

from .windows import locate, pair_at, window_over, windows_over_a_pixel


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
