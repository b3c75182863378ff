"""Pages shown in the browser of whoever runs a program."""

from __future__ import annotations

import sys
import webbrowser
from pathlib import Path


def open_page(page: Path) -> None:
    """Open a page in the browser; without one, say so in a line that names the page."""
    if not webbrowser.open(page.resolve().as_uri()):
        print(f"no browser was found: open {page} in one yourself", file=sys.stderr)
