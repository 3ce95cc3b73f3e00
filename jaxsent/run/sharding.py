"""Data parallelism: one mesh axis over all devices of all hosts; parameters are replicated."""

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jaxsent.data import feed
from jaxsent.errors import UserError
from jaxsent.startup import cores


def mesh() -> Mesh:
    """All devices of all hosts along one axis, "data".

    Auto axes: with Explicit ones, JAX's default, Linen's Dropout fails.
    """
    return jax.make_mesh((jax.device_count(),), ("data",), axis_types=(AxisType.Auto,))


def replicated(over: Mesh) -> NamedSharding:
    """The same value on every device."""
    return NamedSharding(over, PartitionSpec())


def by_batch(over: Mesh) -> NamedSharding:
    """The leading axis split over the devices."""
    return NamedSharding(over, PartitionSpec("data"))


def check_batch_size(key: str, batch_size: int, micro_batches: int = 1) -> None:
    """Raises UserError unless `batch_size` splits over the devices and micro-batches."""
    parts = jax.device_count() * micro_batches
    if batch_size < 1 or batch_size % parts:
        lower, upper = batch_size // parts * parts, (batch_size // parts + 1) * parts
        hint = f"{lower} or {upper}" if lower > 0 else f"{upper}"
        micro = f" and {micro_batches} micro-batches" if micro_batches > 1 else ""
        raise UserError(
            f"{key}={batch_size} does not divide over {jax.device_count()} devices{micro}; "
            f"try {hint}."
        )


def workers(data, batch_size: int, images: int | None = None) -> int:
    """How many processes of this host read `config.data`; 0: threads of this one.

    `data.workers` where that is set. Else, on accelerators, as many as feed them. On CPUs threads:
    the network and the photographs share the cores, and threads share what they keep decoded. So
    too where only `images` will be read, too few for what processes take to start.
    """
    if data.workers >= 0:
        return data.workers
    if jax.default_backend() == "cpu" or not (images is None or feed.worth_starting(images)):
        return 0
    return feed.default_workers(
        jax.local_device_count(), data.image_size, batch_size // jax.process_count(),
        cores(), feed.shared_memory(),
    )  # fmt: skip


def put(batch: dict[str, np.ndarray], over: Mesh) -> dict[str, jax.Array]:
    """This host's part of a batch -> global arrays; text stays behind on the host."""
    sharding = by_batch(over)
    return {
        key: jax.make_array_from_process_local_data(sharding, value)
        for key, value in batch.items()
        if value.dtype.kind not in "OUS"
    }


def local(tree):
    """Global arrays split by batch -> this host's part of each, as NumPy arrays in order."""

    def part(x):
        shards = {s.index[0].start or 0: s.data for s in x.addressable_shards}
        return np.concatenate([np.asarray(shards[start]) for start in sorted(shards)])

    return jax.tree.map(part, tree)


def anywhere(here: bool) -> bool:
    """Whether something is so on any host; all get the same answer."""
    return bool(np.any(gather(np.array([here]))))


def gather(tree):
    """Each host's (n, …) arrays -> all hosts' rows, on every host."""
    if jax.process_count() == 1:
        return tree
    from jax.experimental import multihost_utils

    return multihost_utils.process_allgather(tree, tiled=True)
