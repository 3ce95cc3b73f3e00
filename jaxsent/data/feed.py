"""Batches made ahead of the step that asks for them, by threads or by processes."""

import ctypes
import gc
import math
import shutil
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path

import absl.flags
import cv2
import grain
import numpy as np

from jaxsent.startup import cores

MALLOPT = ((-3, 32 << 20), (-1, 256 << 20), (-2, 16 << 20))
"""glibc's M_MMAP_THRESHOLD, M_TRIM_THRESHOLD and M_TOP_PAD in bytes (malloc.h, mallopt(3))."""

DEVICE_PIXELS = 8_000 * 224**2
"""Pixels a second that an accelerator may ask for: 7,345 images of 224 were the most that any of
our networks trained on one H100 (docs/scale.md)."""
WORKER_IMAGES = 500
"""Images a second that a process decodes and cuts: 530 a core on that machine."""
HELD = 6
"""Batches of a process in shared memory: two wait there, two behind them, two are in hands."""
SHARED = 1 << 16
"""Bytes from which an array goes through shared memory; a file each costs more than labels do."""


def default_workers(
    devices: int, image_size: int, batch_size: int, count: int, shared: float
) -> int:
    """How many processes feed `devices` accelerators of a host with `count` cores.

    As many as the fastest network needs, which is less for larger images; two cores stay with the
    loop, and the batches that each holds ready fit into `shared` bytes of shared memory (64 MiB in
    a container unless told otherwise; what does not fit there kills a process). 0, which is
    threads, where fewer than two processes would be left: threads share what they decoded,
    processes only their own part.
    """
    needed = math.ceil(devices * DEVICE_PIXELS / image_size**2 / WORKER_IMAGES)
    fit = shared // (HELD * batch_size * 3 * image_size**2)
    workers = int(min(max(needed, 2), count - 2, fit))
    return workers if workers > 1 else 0


def shared_memory() -> float:
    """Bytes free where processes share arrays; infinite on systems that have no such place."""
    place = Path("/dev/shm")
    return shutil.disk_usage(place).free if place.is_dir() else math.inf


def worth_starting(images: int) -> bool:
    """Whether processes decode `images` sooner than threads, which need no start of seconds."""
    return images >= 10 * WORKER_IMAGES


class Ahead(Iterator[dict[str, np.ndarray]]):
    """Batches of a dataset, made ahead by threads of this process or by `workers` others.

    What the processes and their shared memory take is given back by `close`, at the end of the
    batches, and when the iterator is forgotten.
    """

    def __init__(self, batches: grain.MapDataset, workers: int):
        prepare_process()
        threads = 1 if workers else min(cores(), 8)
        # The buffer counts whole batches: grain's default of 500 would fill the memory.
        options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=threads)
        dataset = batches.to_iter_dataset(options)
        if workers:
            if not absl.flags.FLAGS.is_parsed():
                absl.flags.FLAGS.mark_as_parsed()  # grain reads them even under another main()
            shared = grain.experimental.DatasetOptions(min_shm_size=SHARED)
            dataset = grain.experimental.WithOptionsIterDataset(dataset, shared)
            processes = grain.multiprocessing.MultiprocessingOptions(
                workers, per_worker_buffer_size=2
            )
            dataset = dataset.mp_prefetch(processes, worker_init_fn=_init_worker)
        self._left, self._opened = len(batches), [iter(dataset)]
        self._release = weakref.finalize(self, _release, self._opened)

    def __next__(self) -> dict[str, np.ndarray]:
        # Counted, since grain's own StopIteration, while it is handled, keeps what was opened.
        if not self._left:
            self.close()
        if not self._opened:
            raise StopIteration
        batch = next(self._opened[0])
        self._left -= 1
        if len(self._opened) == 1:
            self._opened += {type(values) for values in batch.values()}
        return batch

    def close(self) -> None:
        """Ends the threads or processes. There are no batches after that."""
        self._release()


def _release(opened: list) -> None:
    """Closes the iterator `opened[0]`; the rest of the list are the types of its arrays.

    Semaphores of spawned processes last as long as the iterator, so it is forgotten too, with the
    circles of frames that grain's threads leave behind, which hold batches. Grain unlinks shared
    memory in a thread that may not outlive the program: an empty task behind its last waits for it.
    """
    if not opened:
        return
    opened[0].close()
    pools = {getattr(kind, "_del_thread_pool", None) for kind in opened[1:]} - {None}
    opened.clear()
    if pools:
        gc.collect()
    for pool in pools:
        pool.apply(int)


def _init_worker(index: int, count: int) -> None:
    del index, count
    prepare_process()


def prepare_process() -> None:
    """One thread an image, and memory kept from image to image.

    glibc gives blocks of an image's size back to the system as soon as they are free; to get
    their pages anew costs as much as half the decoding.
    """
    cv2.setNumThreads(1)
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have none
        for option, size in MALLOPT if mallopt else ():
            mallopt(option, size)
