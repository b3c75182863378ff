"""The tables of docs/configuration.md, from the declarations in econ_agents.

``.venv/bin/python scripts/configuration_table.py`` writes them; a test says when that is due.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import json
import textwrap
from dataclasses import fields
from pathlib import Path

from econ_agents.config import Config
from econ_agents.settings.base import Settings

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "configuration.md"
BEGIN, END = "<!-- tables: begin -->\n", "<!-- tables: end -->\n"


def with_tables(document: str) -> str:
    """The document with the tables of today between its two marks."""
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    tables = "\n".join(section(Config()))
    return f"{before}{BEGIN}\n{tables}\n{END}{after}"


def section(settings: Settings) -> list[str]:
    """The table of a section with its defaults, and after it those of the sections inside."""
    cls, inner = type(settings), []
    title = f"`{cls.SECTION}`" if cls.SECTION else "Without a section"
    about = inspect.cleandoc(cls.__doc__ or "").partition("\n\nRaises:")[0].replace("``", "`")
    lines = [f"### {title}", "", about, "", "| key | default | meaning |", "|---|---|---|"]
    meanings = attribute_docstrings(cls)
    for field in fields(cls):
        value = getattr(settings, field.name)
        if isinstance(value, Settings):
            inner += section(value)
        else:
            default = json.dumps(value, ensure_ascii=False)
            lines.append(f"| `{cls.key(field.name)}` | `{default}` | {meanings[field.name]} |")
    return [*lines, "", *inner]


def attribute_docstrings(cls: type) -> dict[str, str]:
    """What the source says below each attribute of a class, in one line that fits a table."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    statements = body.body if isinstance(body, ast.ClassDef) else []
    return {
        declared.target.id: " ".join(text.value.value.split()).replace("|", r"\|")
        for declared, text in itertools.pairwise(statements)
        if isinstance(declared, ast.AnnAssign)
        and isinstance(declared.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


if __name__ == "__main__":
    DOCUMENT.write_text(with_tables(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
