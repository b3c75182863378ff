"""Rows that cannot be used are left out on request, said aloud and written down."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

import econ_env
from econ_env.config import EnvConfig
from econ_env.questions import QuestionError, load_questions
from econ_env.questions.listed import ListedQuestions
from econ_env.questions.local import file_table
from econ_env.questions.streamed import StreamedQuestions
from econ_env.questions.table import Limits

LINES = [
    '{"question": "a", "answer": "1"}',
    '{"question": "b"}',
    '{"question"',
    '{"question": "c", "answer": "#### Explanation\\nsee above"}',
    '{"question": "d", "answer": "2"}',
]


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with three rows of five that cannot be used."""
    monkeypatch.setenv("ECON_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(LINES) + "\n")
    return path


def written(path: Path) -> list[dict[str, object]]:
    (file,) = (path.parent / "cache" / "skipped_rows").iterdir()
    assert file.stat().st_mode & 0o077 == 0, "others may read it"
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.mark.parametrize("kind", [ListedQuestions, StreamedQuestions])
def test_bad_rows_are_skipped_counted_and_written_down(
    kind: type[ListedQuestions | StreamedQuestions], rows: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):  # a second reading replaces the file
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            source = kind(file_table(rows, None), Limits(), skip_bad_rows=True)
            assert [source[index].text for index in range(len(source))] == ["a", "d"]
        said = caplog.records[-1].getMessage()
        assert "3 rows were skipped" in said
        assert "skipped_rows" in said
    skipped = written(rows)
    assert [entry["row"] for entry in skipped] == [2, 3, 4]
    assert skipped[0]["place"] == f"{rows}, line 2"
    reasons = [str(entry["reason"]) for entry in skipped]
    assert reasons[0].startswith("no field 'answer'")
    assert reasons[1].startswith("not valid JSON")
    assert "'#### Explanation' is a heading" in reasons[2]


def test_without_the_setting_the_first_bad_row_is_an_error(rows: Path) -> None:
    with pytest.raises(QuestionError, match="line 2: no field 'answer'"):
        load_questions(rows)


def test_a_file_of_only_bad_rows_is_an_error_all_the_same(rows: Path) -> None:
    rows.write_text("\n".join(['{"question": "b", "answer": ""}'] * 3))
    with pytest.raises(QuestionError, match="none of the questions can be used: 3 rows are faulty"):
        load_questions(rows, skip_bad_rows=True)


def test_nothing_is_said_or_written_where_all_rows_are_good(
    rows: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows.write_text(LINES[0])
    with caplog.at_level(logging.WARNING):
        load_questions(rows, skip_bad_rows=True)
    assert caplog.records == []
    assert not (rows.parent / "cache").exists()


def test_the_environment_skips_bad_rows_where_it_is_told_to(rows: Path) -> None:
    env = econ_env.parallel_env(dataset=str(rows), skip_bad_rows=True, order="sequential")
    env.reset(seed=0)
    env.close()
    assert len(EnvConfig(dataset=str(rows), skip_bad_rows=True).load_questions()) == 2
    with pytest.raises(QuestionError):
        econ_env.parallel_env(dataset=str(rows))
