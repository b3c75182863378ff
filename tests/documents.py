"""Readers of this repository's documents, their fenced blocks, and the commands in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "examples/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ASSIGNMENT = re.compile(r"[A-Z_]+=")


@dataclass(frozen=True, kw_only=True)
class Block:
    """One fenced block of a document."""

    document: Path
    line: int
    """Number of its first line in the document, from 1."""
    language: str
    """Text after the opening fence; may be empty."""
    text: str

    def __str__(self) -> str:
        return f"{self.document.relative_to(ROOT)}:{self.line}"


@dataclass(frozen=True, kw_only=True)
class Command:
    """One command line of a ``bash`` block."""

    block: Block
    words: tuple[str, ...]
    """Program and arguments, without leading variable assignments and without comments."""

    def __str__(self) -> str:
        return f"{self.block}: {shlex.join(self.words)}"

    @property
    def program(self) -> str:
        """Name of the program, without the folder of the virtual environment."""
        return self.words[0].removeprefix(".venv/bin/")

    @property
    def arguments(self) -> list[str]:
        """Arguments of the program."""
        return list(self.words[1:])


def blocks(document: Path) -> list[Block]:
    """Return the fenced blocks of a document, in order."""
    text = document.read_text(encoding="utf-8")
    return [
        Block(
            document=document,
            line=text.count("\n", 0, match.start()) + 2,
            language=match[1],
            text=match[2],
        )
        for match in _FENCE.finditer(text)
    ]


def commands(block: Block) -> Iterator[Command]:
    """Return the commands of a ``bash`` block, without ``export`` and other mere assignments."""
    for line in block.text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while words and (words[0] == "export" or _ASSIGNMENT.match(words[0])):
            words.pop(0)
        if words:
            yield Command(block=block, words=tuple(words))


ALL_BLOCKS = [block for document in DOCUMENTS for block in blocks(document)]
ALL_COMMANDS = [
    command for block in ALL_BLOCKS if block.language == "bash" for command in commands(block)
]
