"""Run a function over units of work: on the cores of this machine, or through Apache Beam.

An executor is a context manager that gives `run(function, units)`, which yields the results in the
units' order whatever the number of workers. Functions, units and results travel to the workers and
back, so they are small: counts, names and digests; images go from file to file inside `function`.
"""

import concurrent.futures
import contextlib
import functools
import multiprocessing
import os
import pickle
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from jaxsent.errors import UserError

Run = Callable[[Callable, Sequence], Iterator]

# The portable runner that Beam takes by default runs a stage's Python in one process.
BEAM_OPTIONS = (
    "--runner=DirectRunner",
    "--direct_running_mode=multi_processing",
    "--direct_num_workers=0",  # one a core
    "--default_sdk_harness_log_level=ERROR",
)


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


@contextlib.contextmanager
def processes(workers: int | None = None) -> Iterator[Run]:
    """Over processes of this machine: `workers`, or one a core. With 1, within this process.

    A script that calls this needs the guard `if __name__ == "__main__":`, as its workers import it.
    Raises UserError if a worker ends early, as when the system kills it for want of memory.
    """
    workers = workers or cores()
    if workers == 1:
        yield map
        return
    context = multiprocessing.get_context("spawn")  # a fork would copy the locks of JAX's threads
    pool = concurrent.futures.ProcessPoolExecutor(workers, context, initializer=_start_worker)
    try:
        yield pool.map
    except concurrent.futures.process.BrokenProcessPool:
        raise UserError(
            f"One of {workers} worker processes ended early. If memory was short, use fewer; a "
            "script of your own needs `if __name__ == '__main__':` around its calls."
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def beam(options: Sequence[str], folder: Path) -> Iterator[Run]:
    """Through Apache Beam with its pipeline options, which come after BEAM_OPTIONS.

    So [] is the direct runner over all cores. Any runner will do whose workers have this package
    and see the same folders; results come back as files in `folder`. Raises UserError where Beam
    is not installed.
    """
    try:
        import apache_beam
    except ImportError:
        raise UserError(
            "--beam needs Apache Beam: pip install 'jaxsent[beam]', or leave out --beam to use the "
            "cores of this machine."
        ) from None
    parsed = apache_beam.options.pipeline_options.PipelineOptions([*BEAM_OPTIONS, *options])
    yield functools.partial(_over_beam, apache_beam, parsed, folder)


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends the workers
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A pool's workers would wait for ever for a parent that was killed."""
    multiprocessing.parent_process().join()
    os._exit(1)


def _over_beam(beam, options, folder: Path, function: Callable, units: Sequence) -> Iterator:
    # Results are files, because a pipeline hands nothing back.
    with tempfile.TemporaryDirectory(prefix="results.", dir=folder) as results:

        def run() -> None:
            with beam.Pipeline(options=options) as pipeline:
                created = pipeline | beam.Create(list(enumerate(units))) | beam.Reshuffle()
                _ = created | beam.Map(functools.partial(_keep, function, results))

        running = _in_thread(run)
        for index in range(len(units)):
            path = Path(results, str(index))
            while not path.exists() and not running.done():
                concurrent.futures.wait([running], timeout=0.2)
            if running.done():
                running.result()  # raises what the pipeline raised
            yield pickle.loads(path.read_bytes())
        running.result()


def _in_thread(function: Callable[[], None]) -> concurrent.futures.Future:
    """In a thread that keeps no program from ending, as those of a ThreadPoolExecutor do."""
    future = concurrent.futures.Future()

    def run() -> None:
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def _keep(function: Callable, results: str, numbered: tuple) -> None:
    index, unit = numbered
    result = pickle.dumps(function(unit))
    # Whole or not there, even where a runner does a unit twice.
    handle, temporary = tempfile.mkstemp(prefix="incomplete.", dir=results)
    with open(handle, "wb") as file:
        file.write(result)
    os.replace(temporary, Path(results, str(index)))
