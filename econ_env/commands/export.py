"""``econ-env export``: writes games in the format of another tool."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

import tyro

from econ_env.commands.flags import with_help
from econ_env.errors import UsageError


@with_help
@dataclass(frozen=True, kw_only=True)
class Export:
    """Write games as logs of another tool.

    "inspect" writes a log of Inspect, in which "inspect view --log-dir DIR" shows every call of a
    model with its settings and tokens, every commitment and every score.
    """

    tool: Annotated[Literal["inspect"], tyro.conf.Positional]
    """The tool that reads the log."""
    path: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILE|RUN")]
    """A file that "econ-env play --out" has written, the traces of a test (llm_traces_*.json), or
    the folder of a run."""
    out: Path = Path("logs")
    """Folder for the log. Only its owner can read what is written there."""
    format: Literal["eval", "json"] = "eval"
    """Format of the log: "eval", which is small, or "json", which any program can read."""

    def run(self) -> int:
        """Write the log and print its path; the exit code is 0.

        Raises:
            UsageError: the path holds no games, or Inspect is not installed.
        """
        if find_spec("inspect_ai") is None:
            raise UsageError(
                "export inspect needs Inspect, which is not installed: "
                "pip install 'econ-env[inspect]'"
            )
        from econ_env.integrations.inspect_logs import write_log
        from econ_pages.errors import PageError
        from econ_pages.files import find_games, read_transcripts

        try:
            files = find_games(self.path)
            found = read_transcripts(files)
        except PageError as error:
            raise UsageError(str(error)) from error
        for note in found.notes:
            print(f"note: {note}", file=sys.stderr)
        if not found.transcripts:
            raise UsageError(f"{self.path} holds no games: econ-env play --out FILE writes them")
        played = datetime.fromtimestamp(max(file.stat().st_mtime for file in files), UTC)
        games = [one.data for one in found.transcripts]
        try:
            path = write_log(
                games, self.out, name=self.path.name, played=played, log_format=self.format
            )
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(
                f"{self.path} holds a game that cannot be read ({error!r}): it was edited, or "
                "written by another version"
            ) from error
        print(f"log: {path} ({len(games)} games); inspect view --log-dir {self.out}")
        return 0
