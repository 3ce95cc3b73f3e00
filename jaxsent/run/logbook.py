"""What a run writes down while it goes on: metrics.jsonl, progress, and to loggers."""

import json
import math
import time
from collections.abc import Iterable
from pathlib import Path

import rich.progress

from jaxsent import files
from jaxsent.console import console
from jaxsent.run import loggers


class Logbook:
    """Writes metrics of a run and shows its progress; silent on hosts other than the first.

    Args:
      workdir: metrics.jsonl goes here. Lines of steps after `start`, left by a run
        that went on after its last checkpoint, are dropped.
      start, total: first and last step.
      batch_size: images a step, for images/s.
      quiet: neither write nor show.
      to: names of loggers.LOGGERS, which get the same numbers.

    Raises:
      UserError: the folder cannot be written; `write` raises it too.
    """

    def __init__(
        self, workdir: Path, start: int, total: int, batch_size: int, quiet: bool,
        to: Iterable[str] = ("tensorboard",),
    ):  # fmt: skip
        self.quiet, self.batch_size = quiet, batch_size
        self.start, self.total, self.began = start, total, time.perf_counter()
        if quiet:
            return
        self.path = workdir / "metrics.jsonl"
        kept = [line for line in read(self.path) if line["step"] <= start] if start else []
        files.write_text(self.path, "".join(json.dumps(line) + "\n" for line in kept))
        self.loggers = loggers.opened(to, workdir, start)
        self.bar = rich.progress.Progress(
            rich.progress.TextColumn("step {task.completed}/{task.total}"),
            rich.progress.BarColumn(),
            rich.progress.TextColumn("{task.description}"),
            rich.progress.TimeElapsedColumn(),
            rich.progress.TextColumn("left"),
            rich.progress.TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self.task = self.bar.add_task("compiling", total=total, completed=start)
        self.bar.start()

    def advance(self, step: int) -> None:
        """Moves the bar."""
        if not self.quiet:
            self.bar.update(self.task, completed=step)

    def write(self, step: int, split: str, hint: str = "", **values: float) -> None:
        """One line of metrics.jsonl, the same to the loggers, and what a person watches, `hint`
        behind it.
        """
        if self.quiet:
            return
        values = {k: float(v) for k, v in values.items()}
        finite = {k: v for k, v in values.items() if math.isfinite(v)}
        files.append_line(self.path, json.dumps({"step": step, "split": split, **finite}))
        self._tell(step, {f"{split}/{name}": value for name, value in values.items()})
        text = f"loss {values['loss']:.3f}"
        if "accuracy" in values:
            text += f"  accuracy {values['accuracy']:.3f}"
        if "images_per_second" in values:
            text += f"  {values['images_per_second']:.0f} images/s"
        text += f"  {hint}" if hint else ""
        if split == "train":
            self.bar.update(self.task, description=text)
        if split != "train" or not console.is_terminal:
            left = (time.perf_counter() - self.began) * (self.total - step)
            left /= max(step - self.start, 1)
            clock = f"  {left // 60:.0f}:{left % 60:02.0f} left" if split == "train" else ""
            console.print(f"step {step}/{self.total}  {split:10s} {text}{clock}")

    def _tell(self, step: int, values: dict[str, float]) -> None:
        """A service that fails ends no training: it gets no more, and a person is told."""
        for logger in list(self.loggers):
            try:
                logger.numbers(step, values)
            except Exception as error:  # each service has exceptions of its own
                self.loggers.remove(logger)
                reason = f"{type(error).__name__}: {error}".splitlines()[0][:200]
                console.print(
                    f"{type(logger).__name__} gets no more numbers ({reason}); all are in "
                    "metrics.jsonl."
                )

    def close(self) -> None:
        """Ends the bar and closes the loggers."""
        if not self.quiet:
            self.bar.stop()
            for logger in self.loggers:
                logger.close()


def read(path: Path) -> list[dict]:
    """The lines of a metrics.jsonl; a last line cut short by a crash is left out."""
    lines = []
    for text in path.read_text().splitlines() if path.is_file() else []:
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            continue
    return lines
