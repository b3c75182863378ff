"""Write the tables of docs/configuration.md from the declarations in econ_agents and econ_env.

Run ``.venv/bin/python scripts/configuration_table.py``; a test fails when the tables are outdated.
The docstring of a setting names the source of its default: ``(paper: 0.99)``,
``(paper, 3.4: 0.1)``, ``(the authors' code: 8)``, or two of them with a semicolon between. Without
a source the default is ours.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from econ_agents.config.base import Settings
from econ_agents.config.schema import Config
from econ_env.commands.docstrings import attribute_docstrings
from econ_env.config import EnvConfig

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "configuration.md"
OURS = "ours"

_SOURCE = re.compile(r" \(((?:paper|the authors' code)\b[^()]*)\)")
_ROLE = re.compile(r":\w+:`~?")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One key of a table."""

    key: str
    default: Any
    source: str
    """Source of the default; :data:`OURS` without another source."""
    meaning: str

    def __str__(self) -> str:
        default = json.dumps(self.default, ensure_ascii=False)
        return f"| `{self.key}` | `{default}` | {self.source} | {self.meaning} |"


def with_tables(document: str) -> str:
    """Return the document with up-to-date tables between their marks."""
    for name, lines in (("learner", section(Config())), ("environment", table(EnvConfig()))):
        begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
        before, _, rest = document.partition(begin)
        _, _, after = rest.partition(end)
        document = f"{before}{begin}\n" + "\n".join(lines) + f"\n{end}{after}"
    return document


def section(settings: Settings) -> list[str]:
    """Return the table of a section with its defaults, followed by those of its subsections."""
    cls = type(settings)
    title = f"`{cls.SECTION}`" if cls.SECTION else "Without a section"
    about = inspect.cleandoc(cls.__doc__ or "").partition("\n\nRaises:")[0].replace("``", "`")
    inner = [line for each in _sections(settings) for line in section(each)]
    return [f"### {title}", "", about, "", *table(settings, cls.key), *inner]


def table(settings: Any, key: Callable[[str], str] = str) -> list[str]:
    """Return a table of the keys of one dataclass, and an empty line."""
    lines = ["| key | default | source | meaning |", "|---|---|---|---|"]
    return [*lines, *map(str, rows(settings, key)), ""]


def rows(settings: Any, key: Callable[[str], str] = str) -> Iterator[Row]:
    """Yield the keys of one dataclass, without its subsections.

    Args:
        settings: an instance with the defaults.
        key: function that returns the full key of a field.
    """
    said = {name: _for_table(text) for name, text in attribute_docstrings(type(settings)).items()}
    for field in fields(settings):
        value = getattr(settings, field.name)
        if not isinstance(value, Settings):
            source = _SOURCE.search(said[field.name])
            yield Row(
                key=key(field.name),
                default=value,
                source=OURS if source is None else source[1],
                meaning=_SOURCE.sub("", said[field.name]),
            )


def all_rows() -> list[Row]:
    """Return every key of both tables."""

    def inside(settings: Settings) -> Iterator[Row]:
        yield from rows(settings, type(settings).key)
        for each in _sections(settings):
            yield from inside(each)

    return [*inside(Config()), *rows(EnvConfig())]


def _for_table(text: str) -> str:
    return _ROLE.sub("`", text).replace("``", "`").replace("|", r"\|")


def _sections(settings: Settings) -> list[Settings]:
    values = [getattr(settings, field.name) for field in fields(settings)]
    return [value for value in values if isinstance(value, Settings)]


if __name__ == "__main__":
    DOCUMENT.write_text(with_tables(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
