"""Which GPUs the fused kernels do not run on."""

OLDEST = (8, 0)


def gpu_obstacle(capability):
    """What keeps the kernels from running on a GPU, or `None`.

    Args:
        capability: NVIDIA's compute capability as a pair `(major, minor)`, or `None`
            for a GPU that has none.
    """
    if capability is None:
        return "The kernels for GPUs are NVIDIA's; the GPU that is here is another's."
    if tuple(capability) < OLDEST:
        needed, here = (".".join(map(str, pair)) for pair in (OLDEST, capability))
        return (
            f"The kernels for GPUs need compute capability {needed} or newer; the GPU "
            f"that is here has {here}."
        )
    return None
