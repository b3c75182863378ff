"""Tests that the examples and links of README.md, CONTRIBUTING.md and docs/ work."""

from __future__ import annotations

import re
import runpy
from collections import defaultdict
from dataclasses import fields
from pathlib import Path

import pytest

from benchmarks.comparison.flags import NOT_COMPARED, Compare
from benchmarks.comparison.specs import method_names, parse_spec
from econ_agents.commands.subcommands import COMMANDS
from econ_agents.config.files import config_keys, preset_names, read_config
from econ_agents.config.schema import Config
from econ_agents.config.yaml12 import read_yaml
from scripts.configuration_table import DOCUMENT, OURS, Row, all_rows, with_tables
from tests.documents import ALL_BLOCKS, DOCUMENTS, ROOT, Block, blocks
from tests.misbehaving_server import Ask, MisbehavingServer

LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
DOTTED = re.compile(r"[`\s](?:--)?([a-z_-]+(?:\.[a-z_-]+)+)\b")
SERVER = "http://localhost:8000/v1"
"""Address of the model server in documents; one runs there while examples are tested."""
LANGUAGES = {
    "python": "runs",
    "bash": "runs, or is understood: tests/test_docs_commands.py",
    "yaml": "is a configuration",
    "text": "is a picture or an output",
    "bibtex": "is a reference",
}


def in_language(language: str) -> list[Block]:
    return [block for block in ALL_BLOCKS if block.language == language]


def test_every_block_is_in_a_language_that_is_tested() -> None:
    assert [str(block) for block in ALL_BLOCKS if block.language not in LANGUAGES] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_no_block_is_overlooked(document: Path) -> None:
    fences = re.findall(r"^ *```", document.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(fences) == 2 * len(blocks(document))


def answer(ask: Ask) -> str:
    """Answer of the documents' model to every question: 7."""
    commits = "JSON" in ask.messages[-1]["content"]
    return '{"reason": "all agree", "value": "7"}' if commits else r"It is \boxed{7}."


@pytest.mark.slow
@pytest.mark.parametrize("block", in_language("python"), ids=str)
def test_every_python_block_runs(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for extra in ("inspect_ai", "lm_eval", "openenv"):
        if extra in block.text:
            pytest.importorskip(extra, reason=f"needs {extra}")
    with MisbehavingServer("vllm", answer=answer) as server:
        # As many empty lines before it as in the document, so that a traceback names its line.
        script = tmp_path / f"{block.document.stem}.py"
        text = "\n" * (block.line - 1) + block.text.replace(SERVER, server.url)
        script.write_text(text, encoding="utf-8")
        monkeypatch.chdir(tmp_path)
        names = runpy.run_path(str(script))
    assert names, "the block defines nothing: it shows nothing"
    if SERVER in block.text and ".step(" in block.text:
        assert server.chats, "the block asks its server nothing"


@pytest.mark.slow
@pytest.mark.parametrize(
    "shortened",
    [
        (("episodes=400", "episodes=40"), ("=100", "=10"), ("=20", "=10")),
        pytest.param((), marks=pytest.mark.exhaustive),
    ],
    ids=["shortened", "as printed"],
)
def test_the_complete_file_of_an_environment_trains_tests_and_plots_it(
    shortened: tuple[tuple[str, str], ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (block,) = [each for each in in_language("python") if "meeting:Meeting" in each.text]
    text = block.text
    for long, short in shortened:
        text = text.replace(long, short)
    script = tmp_path / "meeting.py"
    script.write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    runpy.run_path(str(script), run_name="__main__")
    gain = re.search(
        r"trained minus untrained, team reward: \S+ \((\S+) to \S+\)", capsys.readouterr().out
    )
    assert gain is not None
    assert shortened or float(gain[1]) > 0, "it learns nothing"
    run = tmp_path / "runs/meeting"
    assert "collection/kilometre/ann" in (run / "metrics.csv").read_text(encoding="utf-8")
    assert (run / "plots/actions.png").exists()
    assert "Kilometre" in (run / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("block", in_language("yaml"), ids=str)
def test_every_yaml_block_is_a_configuration(block: Block, tmp_path: Path) -> None:
    path = tmp_path / "shown.yaml"
    path.write_text(block.text, encoding="utf-8")
    assert read_config(path) != Config(), "the block sets nothing"


def test_the_reference_is_that_of_the_citation_file(repository: Path) -> None:
    cited = read_yaml((repository / "CITATION.cff").read_text(encoding="utf-8"))
    (reference,) = in_language("bibtex")
    shown = " ".join(reference.text.split())
    for author in cited["preferred-citation"]["authors"]:
        assert f"{author['family-names']}, {author['given-names']}" in shown


def test_the_layout_names_what_is_there(repository: Path) -> None:
    layout = next(each for each in in_language("text") if each.document.name == "CONTRIBUTING.md")
    top, missing = "", []
    for line in layout.text.splitlines():
        names = re.findall(r"[\w./]+(?:/|\.py)(?=\s|,|;|$)", line)
        if not line.startswith(" "):
            top = names.pop(0)
            assert (repository / top).is_dir()
        # A name stands for a folder or file somewhere in the folder that its line begins with.
        missing += [
            top + name for name in names if not any((repository / top).rglob(name.strip("/")))
        ]
    assert missing == []


def test_the_readme_shows_both_commands_and_interfaces_and_leads_to_a_server() -> None:
    shown: defaultdict[str, str] = defaultdict(str)
    for block in blocks(ROOT / "README.md"):
        shown[block.language] += block.text
    assert "./run_econ.sh" in shown["bash"]
    assert "make test" in shown["bash"]
    assert "econ_env.parallel_env(" in shown["python"]
    assert "gymnasium.make(" in shown["python"]
    assert "(docs/endpoints.md#in-python)" in (ROOT / "README.md").read_text(encoding="utf-8")
    shown_there = blocks(ROOT / "docs" / "endpoints.md")
    assert any(SERVER in block.text for block in shown_there if block.language == "python")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_to_a_file_and_a_heading_in_it(document: Path) -> None:
    broken = []
    for name, anchor in LINK.findall(document.read_text(encoding="utf-8")):
        target = document.parent / name if name else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(f"{name}#{anchor}")
    assert broken == []


def anchors(document: Path) -> set[str]:
    """Return the anchors that GitHub makes of headings."""
    headings = HEADING.findall(document.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_readme_is_read_in_one_sitting(repository: Path) -> None:
    assert len((repository / "README.md").read_text(encoding="utf-8").splitlines()) <= 200


def test_the_tables_of_the_configuration_are_those_of_the_declarations() -> None:
    written = DOCUMENT.read_text(encoding="utf-8")
    assert with_tables(written) == written, "run: .venv/bin/python scripts/configuration_table.py"


SOURCED = [row for row in all_rows() if row.source != OURS]
WITH_VALUE = [
    row
    for row in SOURCED
    if row.default is not None and ": " in row.source and "ours:" not in row.source
]


@pytest.mark.parametrize("row", WITH_VALUE, ids=lambda row: row.key)
def test_a_default_is_what_its_source_says(row: Row) -> None:
    said = [each.rpartition(": ")[2].partition(",")[0] for each in row.source.split("; ")]
    assert row.default in map(read_yaml, said)


def test_a_third_of_the_defaults_has_a_source_elsewhere() -> None:
    assert len(SOURCED) > len(all_rows()) / 3


@pytest.mark.parametrize("name", ["README.md", "docs/configuration.md"])
def test_every_preset_and_command_of_the_learner_is_named(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    missing = [preset for preset in preset_names() if f"`{preset}`" not in text]
    assert missing == []
    if name == "README.md":
        assert [each for each in COMMANDS if f"| `{each} " not in text] == []


@pytest.mark.parametrize(
    "name", ["learning", "configuration", "equilibrium", "paper", "your_environment"]
)
def test_every_key_of_the_configuration_that_is_named_exists(name: str) -> None:
    keys = config_keys()
    sections = {key.partition(".")[0] for key in keys if "." in key} - {"env"}
    text = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    # A flag is a key with dashes: --train.no-use-replay.
    dotted = {each.replace("-", "_").replace(".no_", ".") for each in DOTTED.findall(text)}
    named = {each for each in dotted if each.partition(".")[0] in sections}
    known = {*keys, *(key.rpartition(".")[0] for key in keys)}
    assert named - known == set()
    assert named


def test_every_flag_and_method_of_the_comparison_is_explained() -> None:
    text = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    flags = [f"--{field.name.replace('_', '-')}" for field in fields(Compare)]
    flags = [flag for flag in flags if flag.strip("-").replace("-", "_") not in NOT_COMPARED]
    assert [flag for flag in flags if f"`{flag}`" not in text] == []
    methods = text.partition("## Methods")[2].partition("\n## ")[0]
    rows = {line.split("`")[1]: line for line in methods.splitlines() if line.startswith("| `")}
    assert [name for name in method_names() if name not in rows] == []
    for name in method_names():
        settings = rows["econ_untrained" if name == "econ" else name].rpartition(" | ")[2]
        keys = [field.name for field in fields(parse_spec(name))]
        assert re.findall(r"`(\w+)", settings) == keys


def test_every_loss_is_explained() -> None:
    text = (ROOT / "docs" / "learning.md").read_text(encoding="utf-8")
    losses = [key for key in config_keys() if key.startswith("losses.")]
    assert [key for key in losses if f"`{key}`" not in text] == []
