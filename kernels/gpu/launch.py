"""Which kernels a pooling takes, on what grids and with which arguments.

`launch.cc` makes the same plans for C++; a test holds the two together.
"""

import dataclasses
import functools
import math

from ..pooling import Base
from .geometry import Geometry
from .variants import KERNELS, SCRATCH, VARIANTS, VECTOR, Variant

# Where windows have more taps than this, fewer are put into one program.
FEW_TAPS = 16
SOME_TAPS = 64
# Where groups have more channels than this, fewer windows are put into one program.
FEW_CHANNELS = 128
# Numbers of 32 bits, with room for the last program's block to go beyond the end.
LARGEST_COUNT = 2**31 - 2**16
LARGEST_SIDE = 2**30
SCRATCH_ALIGNMENT = 256
PLANS_KEPT = 1024


@dataclasses.dataclass(frozen=True)
class Launch:
    """One kernel launch.

    Attributes:
        variant: The kernel.
        programs: Size of the one-dimensional grid.
        geometry: Integer arguments that all kernels have.
        integers: Integer arguments of this one.
    """

    variant: Variant
    programs: int
    geometry: Geometry
    integers: tuple = ()

    def arguments(self, buffers):
        """Arguments in the kernel's order; `buffers` holds the pointers by name."""
        pointers = [buffers[name] for name in KERNELS[self.variant.kernel].pointers]
        return (*pointers, *self.integers, self.geometry)


@dataclasses.dataclass(frozen=True)
class LaunchPlan:
    """Launches in order, and the scratch memory that they share.

    Attributes:
        launches: Tuple of `Launch`.
        scratch: Number of entries of scratch buffers, by name; 0 where left out.
    """

    launches: tuple
    scratch: dict

    @functools.cached_property
    def offsets(self):
        """Places of scratch buffers in one piece of memory, and its size, in bytes."""
        places, end = {}, 0
        for name in SCRATCH:
            places[name] = end
            blocks = math.ceil(4 * self.scratch.get(name, 0) / SCRATCH_ALIGNMENT)
            end += blocks * SCRATCH_ALIGNMENT
        return places, end


class _Choice:
    """How one pooling of features of one dtype is cut into programs."""

    def __init__(self, pooling, dtype):
        pooling = within_reach(pooling)
        check_sizes(pooling)
        self.pooling, self.dtype = pooling, dtype
        self.per_channel = 1 < pooling.groups == pooling.channels
        self.groups = 1 if self.per_channel else pooling.groups
        self.span = pooling.channels // self.groups
        self.vector = VECTOR if self.span % VECTOR == 0 else 1
        square = pooling.window_height == pooling.window_width
        self.window = pooling.window_height if square else 0
        self.has_max = pooling.base == Base.MAX
        self.many_alphas = pooling.alpha_per_group and pooling.groups > 1
        self.simple = self.vector == VECTOR and not self.per_channel
        self.many_taps = self.vector == VECTOR and pooling.taps > FEW_TAPS
        self.score_block = (pooling.taps > FEW_TAPS) + (pooling.taps > SOME_TAPS)

    def find(self, kernel, choice=0, **keys):
        """The variant of a kernel with these attributes, the first or a later one."""
        found = [
            variant
            for variant in VARIANTS
            if variant.kernel == kernel
            and variant.dtype in (None, self.dtype)
            and all(getattr(variant, key) == value for key, value in keys.items())
        ]
        return found[choice]

    def launch(self, variant, programs, *integers):
        """A launch, or none if there is nothing to do."""
        if programs > LARGEST_COUNT:
            raise ValueError(_too_large("programs of one kernel", programs))
        fields = dataclasses.replace(
            self.pooling,
            channels=self.span // max(variant.vector, 1),
            groups=self.groups,
            alpha_per_group=self.many_alphas,
        )
        geometry = Geometry(*map(int, dataclasses.astuple(fields)))
        return [Launch(variant, programs, geometry, integers)] if programs else []

    def blocks_of(self, variant, rows):
        """Programs over rows alone, one for all channels of a group."""
        return math.ceil(rows / variant.block[0]) * self.groups

    def tiles_of(self, variant, rows):
        """Programs over rows and channels."""
        channel_blocks = math.ceil(self.span / variant.block[-1])
        return self.blocks_of(variant, rows) * channel_blocks


def check_sizes(pooling):
    """Raises a `ValueError` for sizes that the kernels' 32-bit numbers cannot hold.

    Offsets of features have 64 bits, so that features may have any number of values.
    """
    rows, columns = pooling.height + pooling.pad_top, pooling.width + pooling.pad_left
    counts = {
        "windows": pooling.windows,
        "pixels with their padding": pooling.batch * rows * columns,
        "channels": pooling.channels,
        "pixels in a window": pooling.taps,
    }
    for name, count in counts.items():
        if count > LARGEST_COUNT:
            raise ValueError(_too_large(name, count))
    for value in dataclasses.astuple(pooling):
        if value > LARGEST_SIDE:
            what = "images, or pixels along one side"
            raise ValueError(_too_large(what, value, LARGEST_SIDE))


def within_reach(pooling):
    """The same pooling with strides that lead no further than just out of the map.

    Kernels clear what lies between windows, and count it in 32 bits.
    """
    return dataclasses.replace(
        pooling,
        stride_height=min(
            pooling.stride_height,
            max(pooling.window_height, pooling.height + pooling.pad_top),
        ),
        stride_width=min(
            pooling.stride_width,
            max(pooling.window_width, pooling.width + pooling.pad_left),
        ),
    )


def _too_large(what, count, limit=LARGEST_COUNT):
    return (
        f"Expected at most {limit} {what} on a GPU. Received: {count}. Split the "
        "batch, or pool it on the CPU."
    )


@functools.lru_cache(PLANS_KEPT)
def plan_forward(pooling, dtype):
    """The launches of the forward pass.

    Args:
        pooling: A `Pooling`.
        dtype: Dtype of the features: `"float32"`, `"float16"` or `"bfloat16"`.

    Raises:
        ValueError: If the pooling is too large.
    """
    choice = _Choice(pooling, dtype)
    if choice.simple and choice.window in (1, 2, 3):
        variant = choice.find("forward_known", window=choice.window)
    else:
        variant = choice.find(
            "forward_any",
            choice.many_taps,
            per_channel=choice.per_channel,
            vector=choice.vector,
        )
    programs = choice.tiles_of(variant, pooling.windows)
    return LaunchPlan(tuple(choice.launch(variant, programs)), {})


@functools.lru_cache(PLANS_KEPT)
def plan_backward(pooling, dtype):
    """The launches of the backward pass; arguments as for `plan_forward`."""
    choice = _Choice(pooling, dtype)
    if choice.per_channel:
        return _plan_per_channel(choice)
    apart = (
        pooling.stride_height >= pooling.window_height
        and pooling.stride_width >= pooling.window_width
    )
    known = choice.window == 2 or (choice.window == 1 and not choice.has_max)
    if choice.simple and apart and known:
        return _plan_known(choice)
    return _plan_pairs(choice)


def _plan_known(choice):
    pooling = choice.pooling
    variant = choice.find(
        "backward_known",
        choice.span > FEW_CHANNELS,
        window=choice.window,
        has_max=choice.has_max,
    )
    rows = math.ceil((pooling.height + pooling.pad_top) / pooling.stride_height)
    columns = math.ceil((pooling.width + pooling.pad_left) / pooling.stride_width)
    programs = choice.blocks_of(variant, pooling.batch * rows * columns)
    launches = choice.launch(variant, programs)
    sums = programs // choice.groups, choice.groups
    launches += _finish(choice, sums, programs, scores=0)
    return LaunchPlan(tuple(launches), {"alpha_sums": programs, "gate_sums": programs})


def _plan_pairs(choice):
    pooling = choice.pooling
    launches, maxima_programs = [], 0
    score_variants = [
        choice.find(kernel, choice.score_block)
        for kernel in ("window_weights", "pair_gradients")
    ]
    programs = choice.blocks_of(score_variants[0], pooling.windows)
    if choice.has_max:
        maxima = choice.find("window_maxima", choice.many_taps, vector=choice.vector)
        maxima_programs = choice.tiles_of(maxima, pooling.windows)
        launches += choice.launch(maxima, maxima_programs, programs)
    launches += choice.launch(score_variants[0], programs)
    launches += _feature_gradients(choice)
    launches += choice.launch(score_variants[1], programs)
    sums = programs // choice.groups, choice.groups
    scores = pooling.pixels * pooling.groups
    launches += _finish(choice, sums, programs + maxima_programs, scores)
    scratch = {
        "pairs": pooling.windows * pooling.groups * pooling.taps,
        "largest_taps": pooling.windows * pooling.channels * choice.has_max,
        "alpha_sums": programs,
        "gate_sums": programs + maxima_programs,
    }
    return LaunchPlan(tuple(launches), scratch)


def _feature_gradients(choice):
    pooling = choice.pooling
    strides = pooling.stride_height, pooling.stride_width
    if choice.simple and choice.window == 3 and strides == (2, 2):
        variant = choice.find("feature_gradients_known", has_max=choice.has_max)
        rows = math.ceil((pooling.height + pooling.pad_top) / 2)
        columns = math.ceil((pooling.width + pooling.pad_left) / 2)
        cells = pooling.batch * rows * columns
        return choice.launch(variant, choice.blocks_of(variant, cells))
    variant = choice.find("feature_gradients_any", vector=choice.vector)
    return choice.launch(variant, choice.blocks_of(variant, pooling.pixels))


def _plan_per_channel(choice):
    pooling = choice.pooling
    statistics = choice.find(
        "window_statistics", choice.many_taps, vector=choice.vector
    )
    gradients = choice.find("pixel_gradients", vector=choice.vector)
    blocks = choice.blocks_of(statistics, pooling.windows)
    programs = choice.tiles_of(statistics, pooling.windows)
    launches = choice.launch(statistics, programs)
    launches += choice.launch(gradients, choice.tiles_of(gradients, pooling.pixels))
    launches += _finish(choice, (blocks, pooling.channels), programs, scores=0)
    size = pooling.windows * pooling.channels
    scratch = {
        "best_scores": size,
        "shares": size,
        "means": size,
        "of_bests": size,
        "best_taps": size,
        "largest_taps": size * choice.has_max,
        "alpha_sums": blocks * pooling.channels,
        "gate_sums": programs,
    }
    return LaunchPlan(tuple(launches), scratch)


def _finish(choice, alpha_sums, gate_count, scores):
    """The sums over programs, and over the windows of each of so many scores."""
    pooling = choice.pooling
    rows, columns = alpha_sums
    if rows * columns > LARGEST_COUNT:
        raise ValueError(_too_large("partial sums", rows * columns))
    variant = choice.find("finish")
    _, block_columns, block_scores = variant.block
    alpha_programs = math.ceil(columns / block_columns) if choice.many_alphas else 1
    if pooling.base == Base.NONE:
        gate_count = 0
    programs = 1 + alpha_programs + math.ceil(scores / block_scores)
    return choice.launch(variant, programs, rows, columns, gate_count)
