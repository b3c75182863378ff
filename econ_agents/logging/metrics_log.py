"""Metrics of a run as JSON lines, with copies as CSV, for TensorBoard and for W&B.

``metrics.jsonl`` is the record; the CSV is made from it, and the others are written beside it. A
line holds ``step`` and any number of metrics, named ``<namespace>/<name>``. Lines are in the order
of their steps.
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

from econ_agents.errors import EconAgentsError
from econ_agents.logging.sinks import Sink, TensorBoard, WandB, WandBMode
from econ_files.durable import replace_file
from econ_files.private import make_private_folder

JSONL = "metrics.jsonl"
CSV = "metrics.csv"
NAMESPACES = ("collection", "train", "eval", "timers", "counters", "stopping")

_NAME = re.compile(rf"({'|'.join(NAMESPACES)})(/[A-Za-z0-9_.\-]+)+")


class MetricsError(EconAgentsError):
    """A metric is not allowed, or a log cannot be begun, continued or read."""


class MetricsLog:
    """Log to which a run appends its metrics.

    Save a checkpoint of step s after the last write of step s and after :meth:`sync`. A run that
    continues from it with ``resume_at_step=s`` then writes the lines that an uninterrupted run
    would have written, except for ``timers/`` (see :func:`deterministic`).

    Args:
        log_dir: folder of the run; it is made if it does not exist.
        tensorboard: True to write scalars for TensorBoard, into ``<log_dir>/tensorboard``.
        wandb_mode: ``"off"``, ``"offline"`` (into ``<log_dir>/wandb``) or ``"online"``.
        resume_at_step: None begins a log. A number continues the log in ``log_dir`` after that
            step: later lines are removed, and so is a last line that was cut off.

    Raises:
        MetricsError: there is a log already (None) or none (a number), it is damaged, or a library
            for ``tensorboard`` or ``wandb_mode`` is not installed.
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
        make_private_folder(log_dir)
        self._sinks = _sinks(log_dir, tensorboard, wandb_mode, resume_at_step)
        replace_file(path, "".join(_encoded(line) for line in kept).encode())
        self._last_step = int(kept[-1]["step"]) if kept else 0
        self._file = path.open("a", encoding="utf-8")

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Append ``values`` by name, measured at ``step``, as one line, and flush it.

        Raises:
            MetricsError: a name has no namespace, or characters other than letters, digits and
                ``_.-/``; a value is NaN or infinite; or ``step`` is less than the last one.
        """
        if step < self._last_step:
            raise MetricsError(
                f"step {step} comes after step {self._last_step}: steps must not decrease"
            )
        for name, value in values.items():
            if not _NAME.fullmatch(name):
                raise MetricsError(
                    f"{name!r} is not the name of a metric: begin with one of "
                    f"{', '.join(f'{space}/' for space in NAMESPACES)} and go on with letters, "
                    "digits and '_', '.', '-', '/'"
                )
            if not math.isfinite(value):
                raise MetricsError(
                    f"{name} is {value} at step {step}: find the cause, or leave out a metric that "
                    "cannot be measured"
                )
        numbers = {name: float(value) for name, value in values.items()}
        self._file.write(_encoded({"step": step, **numbers}))
        self._file.flush()
        self._last_step = step
        for sink in self._sinks:
            sink.write(step, numbers)

    def sync(self) -> None:
        """Flush every line to the disk, and bring ``metrics.csv`` up to date."""
        os.fsync(self._file.fileno())
        replace_file(self._folder / CSV, _as_csv(read_metrics(self._folder)).encode())

    def close(self) -> None:
        """Call :meth:`sync`, then close every file. The log takes no further lines."""
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
    """Read the lines of ``metrics.jsonl``, each with ``step``, but no last line that was cut off.

    Raises:
        MetricsError: there is no such file, or any other line is damaged.
    """
    path = log_dir / JSONL
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MetricsError(f"{path} cannot be read as the metrics of a run: {error}") from error
    # Text after the last line break is a line that was cut off, or empty: drop it.
    lines = text.split("\n")[:-1]
    return [_decoded(line, f"{path}:{number}") for number, line in enumerate(lines, start=1)]


def deterministic(line: Mapping[str, float]) -> dict[str, float]:
    """Drop ``timers/`` from a line: the rest is the same in equal runs on one machine."""
    return {name: value for name, value in line.items() if not name.startswith("timers/")}


def _encoded(line: Mapping[str, float]) -> str:
    return json.dumps(line, allow_nan=False) + "\n"


def _decoded(text: str, where: str) -> dict[str, float]:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        line = None
    if not isinstance(line, dict) or type(line.get("step")) is not int:
        raise MetricsError(f"{where} is damaged: {text[:80]!r} is not a line of metrics")
    for name, value in line.items():
        if type(value) not in (int, float) or not math.isfinite(value):
            raise MetricsError(f"{where} is damaged: {name!r} is not a finite number")
    return line


def _as_csv(lines: list[dict[str, float]]) -> str:
    """Write a row for every line, with columns in the order in which metrics first appeared."""
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
