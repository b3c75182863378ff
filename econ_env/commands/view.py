"""``econ-env view``: makes one page of the games in a file or in the folder of a run."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from econ_console.browser import open_page
from econ_env.commands.flags import with_help
from econ_env.errors import UsageError
from econ_env.grading.answers import is_correct


@with_help
@dataclass(frozen=True, kw_only=True)
class View:
    """Make one HTML page of games, to look at in a browser.

    It shows every game with its strategy, responses, commitments, verdicts, rewards and tokens, and
    finds the ones that are wrong, flipped or failed. The page is complete in itself: it loads
    nothing, and can be mailed or kept.
    """

    path: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILE|RUN")]
    """A file that "econ-env play --out" has written, the traces of a test (llm_traces_*.json), or
    the folder of a run."""
    out: Path | None = None
    """File for the page. Default: beside FILE with the suffix .html, or RUN/games.html. A page that
    is there is replaced, and only its owner can read it."""
    open: bool = False
    """Open the page in the browser."""

    def run(self) -> int:
        """Write the page and print its path; the exit code is 0.

        Raises:
            UsageError: the path holds no games, or the page cannot be written there.
        """
        from econ_pages.errors import PageError
        from econ_pages.files import find_games, read_games
        from econ_pages.page import Page, write_page
        from econ_pages.summary import players, summarise
        from econ_pages.text import plural

        try:
            files = find_games(self.path)
            found = read_games(files, judge=is_correct)
            if not found.games:
                raise UsageError(
                    f"{self.path} holds no games: econ-env play --out FILE writes them, and so "
                    "does econ-agents test into the folder of a run"
                )
            for note in found.notes:
                print(f"note: {note}", file=sys.stderr)
            out = self.out or self._beside()
            page = Page(
                title=f"Games of {self.path.resolve().name}",
                subtitle=players(found.games),
                conclusion=summarise(found.games),
                games=found.games,
            )
            write_page(page, out)
        except PageError as error:
            raise UsageError(str(error)) from error
        count = len(found.games)
        print(f"page: {out} ({count} {plural(count, 'game')})")
        if self.open:
            open_page(out)
        return 0

    def _beside(self) -> Path:
        if self.path.is_dir():
            return self.path / "games.html"
        return self.path.with_suffix(".html")
