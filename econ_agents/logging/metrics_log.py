"""What a run measured: one JSON line for every write, and the same as CSV, TensorBoard and W&B.

``metrics.jsonl`` is the record; everything else is made of it or beside it. A line holds ``step``
and any number of metrics, named ``<namespace>/<name>``. Lines are in the order of their steps.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from econ_agents.atomic_files import replace_file
from econ_agents.errors import EconAgentsError
from econ_agents.logging.sinks import Sink, TensorBoard, WandB, WandBMode

JSONL = "metrics.jsonl"
CSV = "metrics.csv"
NAMESPACES = ("collection", "train", "eval", "timers", "counters")

_NAME = re.compile(rf"({'|'.join(NAMESPACES)})(/[A-Za-z0-9_.\-]+)+")


class MetricsError(EconAgentsError):
    """A metric is not allowed, or a log cannot be begun, continued or read."""


class MetricsLog:
    """Appends to the metrics of one run.

    A checkpoint of step s is to be saved after the last write of step s and after :meth:`sync`:
    then a run that continues from it with ``resume_at_step=s`` writes the lines that an
    uninterrupted one would have written, but for ``timers/`` (see :func:`deterministic`).

    Args:
        log_dir: made where it does not exist.
        tensorboard: whether to write scalars for TensorBoard, into ``<log_dir>/tensorboard``.
        wandb_mode: ``"off"``, ``"offline"`` (into ``<log_dir>/wandb``) or ``"online"``.
        resume_at_step: None begins a log. A number continues the one in ``log_dir`` after that
            step: later lines, and one that was cut off while it was written, are removed.

    Raises:
        MetricsError: there is a log already (None) or none (a number), it is damaged, or what
            ``tensorboard`` or ``wandb_mode`` needs is not installed.
    """

    def __init__(
        self,
        log_dir: Path,
        *,
        tensorboard: bool,
        wandb_mode: WandBMode,
        resume_at_step: int | None,
    ) -> None:
        self._folder = log_dir
        path = log_dir / JSONL
        kept: list[dict[str, float]] = []
        if resume_at_step is not None:
            kept = [line for line in read_metrics(log_dir) if line["step"] <= resume_at_step]
        elif path.exists():
            raise MetricsError(
                f"{path} holds the metrics of another run: resume that run, or choose another "
                "log directory"
            )
        log_dir.mkdir(parents=True, exist_ok=True)
        self._sinks = _sinks(log_dir, tensorboard, wandb_mode, resume_at_step)
        replace_file(path, "".join(_encoded(line) for line in kept).encode())
        self._last_step = int(kept[-1]["step"]) if kept else 0
        self._file = path.open("a", encoding="utf-8")

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Append ``values`` by name, measured at ``step``, as one line that is flushed at once.

        Raises:
            MetricsError: a name has no namespace or other signs than letters, digits and
                ``_.-``, a value is NaN or infinite, or ``step`` lies before the last one.
        """
        if step < self._last_step:
            raise MetricsError(f"step {step} comes after step {self._last_step}: it must not")
        for name, value in values.items():
            if not _NAME.fullmatch(name):
                raise MetricsError(
                    f"{name!r} is no name of a metric: begin with one of "
                    f"{', '.join(f'{space}/' for space in NAMESPACES)} and go on with letters, "
                    "digits and '_', '.', '-', '/'"
                )
            if not math.isfinite(value):
                raise MetricsError(
                    f"{name} is {value} at step {step}: find out where it comes from; what cannot "
                    "be measured is left out of the line"
                )
        numbers = {name: float(value) for name, value in values.items()}
        self._file.write(_encoded({"step": step, **numbers}))
        self._file.flush()
        self._last_step = step
        for sink in self._sinks:
            sink.write(step, numbers)

    def sync(self) -> None:
        """Return once the disk has every line, and ``metrics.csv`` shows them all."""
        os.fsync(self._file.fileno())
        replace_file(self._folder / CSV, _as_csv(read_metrics(self._folder)).encode())

    def close(self) -> None:
        """:meth:`sync`, then close every file. The log takes no further lines."""
        self.sync()
        self._file.close()
        for sink in self._sinks:
            sink.close()

    def __enter__(self) -> MetricsLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def read_metrics(log_dir: Path) -> list[dict[str, float]]:
    """The lines of ``metrics.jsonl``, each with ``step``; a last one that was cut off is left out.

    Raises:
        MetricsError: there is no such file, or another line of it is damaged.
    """
    path = log_dir / JSONL
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MetricsError(f"{path} cannot be read as the metrics of a run: {error}") from error
    # What follows the last end of a line is one that was cut off, or nothing.
    lines = text.split("\n")[:-1]
    return [_decoded(line, f"{path}:{number}") for number, line in enumerate(lines, start=1)]


def deterministic(line: Mapping[str, float]) -> dict[str, float]:
    """``line`` without ``timers/``: the part that equal runs on one machine have in common."""
    return {name: value for name, value in line.items() if not name.startswith("timers/")}


def _encoded(line: Mapping[str, float]) -> str:
    return json.dumps(line, allow_nan=False) + "\n"


def _decoded(text: str, where: str) -> dict[str, float]:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        line = None
    if not isinstance(line, dict) or type(line.get("step")) is not int:
        raise MetricsError(f"{where} is damaged: {text[:80]!r} is no line of metrics")
    for name, value in line.items():
        if type(value) not in (int, float) or not math.isfinite(value):
            raise MetricsError(f"{where} is damaged: {name!r} has no finite number")
    return line


def _as_csv(lines: list[dict[str, float]]) -> str:
    """A row for every line; columns in the order in which metrics first appeared."""
    names = dict.fromkeys(name for line in lines for name in line)
    table = io.StringIO()
    writer = csv.DictWriter(table, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return table.getvalue()


def _sinks(
    log_dir: Path, tensorboard: bool, wandb_mode: WandBMode, resume_at_step: int | None
) -> list[Sink]:
    sinks: list[Sink] = []
    try:
        if tensorboard:
            sinks.append(TensorBoard(log_dir, resume_at_step))
        if wandb_mode != "off":
            sinks.append(WandB(log_dir, wandb_mode))
    except ImportError as error:
        raise MetricsError(str(error)) from error
    return sinks
