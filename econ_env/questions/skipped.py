"""Rows that are left out because they cannot be used: a file of them, and their number."""

from __future__ import annotations

import json
import logging
import os
import re
from pathlib import Path

from platformdirs import user_cache_path

from econ_env.questions.base import QuestionError

logger = logging.getLogger(__name__)


class SkippedRows:
    """The faulty rows of one data set, written to a file as they are met.

    Each line of the file is a JSON object with ``row`` (its number), ``place`` and ``reason``. The
    file of an earlier reading of the same data set is replaced.

    Args:
        name: name of the data set, from which that of the file follows.

    Raises:
        QuestionError: the file cannot be written.
    """

    def __init__(self, name: str) -> None:
        self.path = _folder() / f"{re.sub(r'[^A-Za-z0-9._-]+', '_', name)[:150]}.jsonl"
        self.count = 0
        """Number of rows skipped so far."""

    def add(self, *, number: int, place: str, fault: QuestionError) -> None:
        """Write one row down."""
        line = {"row": number, "place": place, "reason": str(fault).removeprefix(f"{place}: ")}
        try:
            if not self.count:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self.path.unlink(missing_ok=True)
                self.path.touch(mode=0o600)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
        except OSError as error:
            raise QuestionError(
                f"{self.path}: the skipped rows cannot be written down: {error}; set ECON_CACHE to "
                "a folder that can be written"
            ) from error
        self.count += 1

    def report(self, where: str) -> None:
        """Log how many rows were skipped, if any were."""
        if self.count:
            rows = "1 row was" if self.count == 1 else f"{self.count} rows were"
            logger.warning(
                "%s: %s skipped, since skip_bad_rows is set; %s says which and why.",
                where,
                rows,
                self.path,
            )


def _folder() -> Path:
    folder = os.environ.get("ECON_CACHE")
    caches = Path(folder).expanduser() if folder else user_cache_path("econ_env", appauthor=False)
    return caches / "skipped_rows"
