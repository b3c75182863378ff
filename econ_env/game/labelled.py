"""Tolerant reading of entries behind labels: Markdown, YAML, XML, tables, calls, plain lines.

A label is a known name in front of a colon, an equals sign or an arrow, alone in a heading, in the
cell of a table, or as an XML tag. Names count only where people put labels: at the beginning of a
line, in bold, or behind the end of another entry. An entry reaches to the next label. Every text is
read in time linear in its length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_NAMES = (
    r"(?:(?:final|correct|committed)[ _-]?)?(?:value|answer|result)|reason(?:ing)?|rationale"
    r"|explanation|justification|checks?|checklist|confidence(?:[ _-](?:level|score))?|certainty"
)
_NAME = re.compile(_NAMES, re.IGNORECASE)
_LABEL = re.compile(
    rf"<(?P<closing>/?)(?P<tag>{_NAMES})\b[^<>\n]{{0,60}}+>"
    rf"|\b(?P<name>{_NAMES})\b(?P<marks>[*_`\"' \t]{{0,6}}+)"
    r"(?P<separator>[:=]>?|\||->|→|(?=\n))",
    re.IGNORECASE,
)
_LINE_START = re.compile(r"[ \t>#*_`\"'|+•·–—-]*+(?:\d{1,2}[.)])?+[ \t*_`\"']*+")
"""All that may stand between the beginning of a line and its label."""
_LONGEST_LINE_START = 24
_ENDS_AN_ENTRY = ".;,|/()[]{}*"
"""Characters behind which a label may stand in the middle of a line."""
_BLOCK = re.compile(r"[ \t]*+[|>][+-]?[ \t]*+\n")
"""The mark of a YAML block, whose text begins on the next line."""
_ROW = re.compile(r"[ \t]*+\|(.*)\|[ \t]*+")
_MARKS = " \t\r\n*_`\"'|,;"


class Entry(NamedTuple):
    """One labelled entry."""

    name: str
    """As it is written, without marks."""
    text: str
    """Text of the entry without quotes and emphasis around it."""
    in_tag: bool
    """True if the name is an XML tag."""


def labelled_entries(text: str) -> list[Entry]:
    """The labelled entries of ``text``, in order; names may repeat."""
    return list(_in_columns(text)) or list(_behind_labels(text))


def _behind_labels(text: str) -> Iterator[Entry]:
    name, begins, in_tag = "", 0, False
    for label in _LABEL.finditer(text):
        if not label["tag"] and not _is_placed(text, label):
            continue
        if name:
            yield _entry(name, text[begins : label.start()], in_tag=in_tag)
        name = "" if label["closing"] else label["tag"] or label["name"]
        begins, in_tag = label.end(), label["tag"] is not None
    if name:
        yield _entry(name, text[begins:], in_tag=in_tag)


def _is_placed(text: str, label: re.Match[str]) -> bool:
    """True if a name stands where people put labels."""
    before = text[max(0, label.start() - _LONGEST_LINE_START) : label.start()]
    line, is_cut = before.rpartition("\n")[2], label.start() > _LONGEST_LINE_START
    starts_line = (not is_cut or "\n" in before) and _LINE_START.fullmatch(line) is not None
    if not label["separator"]:
        return starts_line and ("#" in line or "*" in line)  # a heading: its text is below
    if label["separator"] == "=" and text[label.end() : label.end() + 1] in ('"', "'"):
        return True  # an attribute, or an argument of a call
    return starts_line or before.rstrip(" \t_`\"'")[-1:] in _ENDS_AN_ENTRY


def _in_columns(text: str) -> Iterator[Entry]:
    """The entries of the last row of a table whose first row holds names only."""
    names: list[str] = []
    last: list[str] = []
    for line in text.splitlines():
        row = _ROW.fullmatch(line)
        cells = [cell.strip(_MARKS) for cell in row[1].split("|")] if row else []
        if len(cells) > 1 and all(map(_NAME.fullmatch, cells)):
            names, last = cells, []
        elif len(cells) == len(names) and any(cell.strip("-: ") for cell in cells):
            last = cells
    for name, cell in zip(names, last, strict=False):
        yield _entry(name, cell, in_tag=False)


def _entry(name: str, text: str, *, in_tag: bool) -> Entry:
    block = _BLOCK.match(text)
    text = (text[block.end() :] if block else text).strip(_MARKS)
    return Entry(name, text.rstrip("([{").rstrip(_MARKS), in_tag)  # "Value: 7 (confidence: 0.9)"
