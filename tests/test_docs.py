"""What README.md, CONTRIBUTING.md and docs/ show and point to works."""

from __future__ import annotations

import re
import runpy
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import pytest

from econ_agents.commands import COMMANDS
from econ_agents.config_file import config_keys, preset_names
from scripts.configuration_table import DOCUMENT, with_tables

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)")
DOTTED = re.compile(r"[`\s](?:--)?([a-z_]+(?:\.[a-z_]+)+)\b")
MAKE_TARGET = re.compile(r"\bmake ([a-z]+)\b")


@dataclass(frozen=True, kw_only=True)
class Block:
    """One fenced block of a document."""

    document: Path
    line: int
    """Line of its first line in the document, from 1."""
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.document.relative_to(ROOT)}:{self.line}"


def blocks(document: Path) -> list[Block]:
    text = document.read_text(encoding="utf-8")
    return [
        Block(
            document=document,
            line=text.count("\n", 0, match.start()) + 2,
            language=match[1],
            text=match[2],
        )
        for match in FENCE.finditer(text)
    ]


ALL_BLOCKS = [block for document in DOCUMENTS for block in blocks(document)]


@pytest.mark.parametrize(
    "block", [block for block in ALL_BLOCKS if block.language == "python"], ids=str
)
def test_every_python_block_runs(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As many empty lines before it as in the document, so that a traceback names its line.
    script = tmp_path / f"{block.document.stem}.py"
    script.write_text("\n" * (block.line - 1) + block.text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    names = runpy.run_path(str(script))
    assert names, "the block defines nothing: it shows nothing"


def test_the_readme_shows_both_commands_and_both_interfaces() -> None:
    shown: defaultdict[str, str] = defaultdict(str)
    for block in blocks(ROOT / "README.md"):
        shown[block.language] += block.text
    assert "./run_econ.sh" in shown["bash"]
    assert "make test" in shown["bash"]
    assert "econ_env.parallel_env(" in shown["python"]
    assert "gymnasium.make(" in shown["python"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_to_a_file_leads_somewhere(document: Path) -> None:
    targets = LINK.findall(document.read_text(encoding="utf-8"))
    broken = [target for target in targets if not (document.parent / target).exists()]
    assert broken == []


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    shown = "".join(block.text for block in ALL_BLOCKS if block.language == "bash")
    for target in {*MAKE_TARGET.findall(shown)}:
        assert f"\n{target}:" in makefile


def test_the_tables_of_the_configuration_are_those_of_the_declarations() -> None:
    written = DOCUMENT.read_text(encoding="utf-8")
    assert with_tables(written) == written, "run: .venv/bin/python scripts/configuration_table.py"


@pytest.mark.parametrize("name", ["README.md", "docs/configuration.md"])
def test_every_preset_and_command_of_the_learner_is_named(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    missing = [preset for preset in preset_names() if f"`{preset}`" not in text]
    assert missing == []
    if name == "README.md":
        assert [each for each in COMMANDS if f"| `{each} --" not in text] == []


@pytest.mark.parametrize("name", ["learning", "configuration", "equilibrium", "your_environment"])
def test_every_key_of_the_configuration_that_is_named_exists(name: str) -> None:
    keys = config_keys()
    sections = {key.partition(".")[0] for key in keys if "." in key} - {"env"}
    text = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    dotted = {each.replace(".no_", ".") for each in DOTTED.findall(text)}  # --train.no_use_replay
    named = {each for each in dotted if each.partition(".")[0] in sections}
    known = {*keys, *(key.rpartition(".")[0] for key in keys)}
    assert named - known == set()
    assert named


def test_every_loss_is_explained() -> None:
    text = (ROOT / "docs" / "learning.md").read_text(encoding="utf-8")
    losses = [key for key in config_keys() if key.startswith("losses.")]
    assert [key for key in losses if f"`{key}`" not in text] == []
