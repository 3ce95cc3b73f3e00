"""Work of all cores in constant memory."""

import collections
import concurrent.futures
import itertools
from collections.abc import Callable, Iterable, Iterator

import cv2

from jaxsent.startup import cores


def ahead(function: Callable, items: Iterable) -> Iterator:
    """Yield function(item) in order, worked out by threads a few items ahead of the reader.

    Decoding, digests and files do not hold Python's lock. What is not read is not worked out.
    """
    cv2.setNumThreads(1)  # every thread has an image of its own
    workers = cores()
    items = iter(items)
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        pending = collections.deque(
            pool.submit(function, item) for item in itertools.islice(items, 4 * workers)
        )
        try:
            while pending:
                result = pending.popleft().result()
                pending.extend(pool.submit(function, item) for item in itertools.islice(items, 1))
                yield result
        finally:
            for future in pending:
                future.cancel()
