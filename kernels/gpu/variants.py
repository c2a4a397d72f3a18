"""The table of kernel variants, from which code is generated and launchers choose.

A kernel is specialised only where that pays: by the dtype of features, by windows known
in advance, by a maximum as base where that takes registers, by how scores are laid out,
and by whether channels come in multiples of eight, which gives loads of 16 bytes. All
else (weighting, gating, other bases, geometry) is decided at run time.
"""

import dataclasses
import itertools

DTYPES = ("float32", "float16", "bfloat16")
VECTOR = 8
NUM_STAGES = 2


@dataclasses.dataclass(frozen=True)
class Kernel:
    """Signature of a kernel: pointers, then integers, then the geometry.

    Compile-time arguments are attributes of a `Variant`, which `keys` names, and the
    sizes of a program's block, which `blocks` names.
    """

    module: str
    pointers: tuple
    keys: tuple
    blocks: tuple
    integers: tuple = ()


_INPUTS = ("x", "scores", "alpha", "gate")
_SUMS = ("alpha_sums", "gate_sums")
_STATISTICS = (
    "best_scores",
    "shares",
    "means",
    "of_bests",
    "best_taps",
    "largest_taps",
)
_TILE = ("BLOCK_WINDOWS", "BLOCK_TAPS", "BLOCK_CHANNELS")

KERNELS = {
    "forward_known": Kernel(
        "forward",
        (*_INPUTS, "y"),
        ("WINDOW", "VECTOR"),
        ("BLOCK_WINDOWS", "BLOCK_CHANNELS"),
    ),
    "forward_any": Kernel("forward", (*_INPUTS, "y"), ("PER_CHANNEL", "VECTOR"), _TILE),
    "backward_known": Kernel(
        "backward_known",
        (*_INPUTS, "dy", "dx", "dscores", *_SUMS),
        ("WINDOW", "HAS_MAX", "VECTOR"),
        ("BLOCK_WINDOWS", "BLOCK_CHANNELS"),
    ),
    "window_maxima": Kernel(
        "window_pairs",
        ("x", "dy", "largest_taps", "gate_sums"),
        ("VECTOR",),
        _TILE,
        integers=("first_sum",),
    ),
    "window_weights": Kernel(
        "window_pairs",
        ("scores", "alpha", "gate", "pairs"),
        (),
        ("BLOCK_WINDOWS", "BLOCK_TAPS"),
    ),
    "feature_gradients_known": Kernel(
        "feature_gradients",
        ("x", "gate", "dy", "largest_taps", "dx", "pairs"),
        ("WINDOW", "STRIDE", "HAS_MAX", "VECTOR"),
        ("BLOCK_CELLS", "BLOCK_CHANNELS"),
    ),
    "feature_gradients_any": Kernel(
        "feature_gradients",
        ("x", "gate", "dy", "largest_taps", "dx", "pairs"),
        ("VECTOR",),
        ("BLOCK_PIXELS", "BLOCK_CHANNELS"),
    ),
    "pair_gradients": Kernel(
        "window_pairs",
        ("scores", "alpha", "gate", "pairs", *_SUMS),
        (),
        ("BLOCK_WINDOWS", "BLOCK_TAPS"),
    ),
    "window_statistics": Kernel(
        "per_channel", (*_INPUTS, "dy", *_STATISTICS, *_SUMS), ("VECTOR",), _TILE
    ),
    "pixel_gradients": Kernel(
        "per_channel",
        (*_INPUTS, "dy", *_STATISTICS, "dx", "dscores"),
        ("VECTOR",),
        ("BLOCK_PIXELS", "BLOCK_CHANNELS"),
    ),
    "finish": Kernel(
        "finish",
        ("pairs", "dscores", *_SUMS, "dalpha", "dgate"),
        (),
        ("BLOCK_SUMS", "BLOCK_COLUMNS", "BLOCK_PIXELS"),
        integers=("alpha_rows", "alpha_columns", "gate_count"),
    ),
}
# Buffers that live from the first launch of a plan to its last, of 4 bytes an entry.
SCRATCH = ("pairs", *_STATISTICS, *_SUMS)
BUFFERS = (*_INPUTS, "dy", "y", "dx", "dscores", "dalpha", "dgate", *SCRATCH)
# Those of the features' dtype, and those of integers; all others are of float32.
FEATURES = ("x", "y", "dy", "dx")
INDICES = ("best_taps", "largest_taps")


@dataclasses.dataclass(frozen=True)
class Variant:
    """One specialisation of a kernel.

    Attributes:
        kernel: Key of `KERNELS`.
        block: Sizes of a program's block, in the order of `Kernel.blocks`.
        dtype: Dtype of features, `None` where no features are read.
        window: Window height and width if known, else 0.
        stride: Vertical and horizontal stride if known, else 0.
        has_max: Whether the base may be a maximum.
        per_channel: Whether every channel has a score of its own.
        vector: What the number of channels is known to be a multiple of.
        warps: Warps per program.
    """

    kernel: str
    block: tuple
    dtype: str | None = None
    window: int = 0
    stride: int = 0
    has_max: bool = False
    per_channel: bool = False
    vector: int = 0
    warps: int = 4

    @property
    def constants(self):
        """Compile-time arguments of the kernel, by name."""
        kernel = KERNELS[self.kernel]
        keys = {name: getattr(self, name.lower()) for name in kernel.keys}
        return keys | dict(zip(kernel.blocks, self.block, strict=True))


# Blocks of rows x channels, for groups of few channels and of many: every thread of
# four warps loads 16 bytes from each pixel of a row's window.
CHANNEL_BLOCKS = {
    "float32": ((8, 64), (4, 128)),
    "float16": ((16, 64), (4, 256)),
    "bfloat16": ((16, 64), (4, 256)),
}
# Blocks of windows x taps where no features are read.
SCORE_BLOCKS = ((32, 16), (8, 64), (1, 1024))
# Blocks of windows x taps x channels and the vectors they are compiled for, by whether
# scores are per channel: for windows of few taps, of many, and for single channels.
TILES = {
    False: (((8, 4, 64), VECTOR), ((1, 32, 64), VECTOR), ((8, 4, 64), 1)),
    True: (((4, 4, 64), VECTOR), ((1, 16, 64), VECTOR), ((4, 4, 64), 1)),
}


def _variants():
    for dtype in DTYPES:
        few_channels = CHANNEL_BLOCKS[dtype][0]
        for window in (1, 2, 3):
            yield Variant(
                "forward_known", few_channels, dtype, window=window, vector=VECTOR
            )
        for per_channel, tiles in TILES.items():
            for block, vector in tiles:
                yield Variant(
                    "forward_any", block, dtype, per_channel=per_channel, vector=vector
                )
        for block, (window, has_max) in itertools.product(
            CHANNEL_BLOCKS[dtype], ((1, False), (2, False), (2, True))
        ):
            yield Variant(
                "backward_known",
                block,
                dtype,
                window=window,
                has_max=has_max,
                vector=VECTOR,
            )
        for has_max in (False, True):
            yield Variant(
                "feature_gradients_known",
                few_channels,
                dtype,
                window=3,
                stride=2,
                has_max=has_max,
                vector=VECTOR,
            )
        for vector in (VECTOR, 1):
            yield Variant("feature_gradients_any", few_channels, dtype, vector=vector)
            yield Variant("pixel_gradients", few_channels, dtype, vector=vector)
        for block, vector in TILES[False]:
            yield Variant("window_maxima", block, dtype, vector=vector)
        for block, vector in TILES[True]:
            yield Variant("window_statistics", block, dtype, vector=vector)
    for block in SCORE_BLOCKS:
        yield Variant("window_weights", block)
        yield Variant("pair_gradients", block)
    yield Variant("finish", (4096, 16, 256), warps=8)


VARIANTS = tuple(_variants())
