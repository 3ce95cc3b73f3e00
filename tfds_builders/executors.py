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
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from jaxsent.errors import UserError
from jaxsent.startup import cores

Run = Callable[[Callable, Sequence], Iterator]

# The portable runner that Beam takes by default runs a stage's Python in one process.
BEAM_OPTIONS = (
    "--runner=DirectRunner",
    "--direct_running_mode=multi_processing",
    "--direct_num_workers=0",  # one a core
    "--default_sdk_harness_log_level=ERROR",
)


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
def beam(options: Sequence[str], folder: Path, stages: Sequence[Callable]) -> Iterator[Run]:
    """Through Apache Beam with its pipeline options, which come after BEAM_OPTIONS.

    So [] is the direct runner over all cores. Any runner will do whose workers have this package
    and see the same folders; units and results are files in `folder`. `stages` are the functions
    that will be run, each once and in this order: they share a pipeline, as Beam's workers take
    seconds to start. Raises UserError where Beam is not installed.
    """
    try:
        import apache_beam
    except ImportError:
        raise UserError(
            "--beam needs Apache Beam: pip install 'jaxsent[beam]', or leave out --beam to use the "
            "cores of this machine."
        ) from None
    parsed = apache_beam.options.pipeline_options.PipelineOptions([*BEAM_OPTIONS, *options])
    with tempfile.TemporaryDirectory(
        prefix="results.", dir=folder, ignore_cleanup_errors=True
    ) as shared:
        running = _in_thread(functools.partial(_pipeline, apache_beam, parsed, stages, shared))

        def run(function: Callable, units: Sequence) -> Iterator:
            stage = stages.index(function)
            for index, unit in enumerate(units):
                _save(Path(shared, f"{stage}.unit.{index}"), unit)
            _save(Path(shared, f"{stage}.units"), len(units))
            for index in range(len(units)):
                path = Path(shared, f"{stage}.{index}")
                while not path.exists() and not running.done():
                    concurrent.futures.wait([running], timeout=0.05)
                if running.done():
                    running.result()  # raises what the pipeline raised
                yield pickle.loads(path.read_bytes())

        yield run
        running.result()


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends the workers
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A pool's workers would wait for ever for a parent that was killed."""
    multiprocessing.parent_process().join()
    os._exit(1)


def _pipeline(beam, options, stages: Sequence[Callable], shared: str) -> None:
    with beam.Pipeline(options=options) as pipeline:
        done = pipeline | beam.Create([None])
        for stage, function in enumerate(stages):
            done = (
                done
                | f"units {stage}" >> beam.FlatMap(functools.partial(_units, shared, stage))
                | f"over all {stage}" >> beam.Reshuffle()
                | f"run {stage}" >> beam.Map(functools.partial(_keep, shared, stage, function))
                | f"all {stage}" >> beam.combiners.Count.Globally()
            )


def _units(shared: str, stage: int, done: object) -> Sequence[int]:
    """Their numbers, once the first process has saved them, with the results before at hand."""
    del done
    parent = os.getppid()
    path = Path(shared, f"{stage}.units")
    while not path.exists():
        if os.getppid() != parent or not path.parent.exists():  # it has ended
            return ()
        time.sleep(0.05)
    return range(pickle.loads(path.read_bytes()))


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


def _keep(shared: str, stage: int, function: Callable, index: int) -> None:
    unit = pickle.loads(Path(shared, f"{stage}.unit.{index}").read_bytes())
    _save(Path(shared, f"{stage}.{index}"), function(unit))


def _save(path: Path, value: object) -> None:
    """Whole or not there, even where a runner does a unit twice."""
    handle, temporary = tempfile.mkstemp(prefix="incomplete.", dir=path.parent)
    with open(handle, "wb") as file:
        pickle.dump(value, file)
    os.replace(temporary, path)
