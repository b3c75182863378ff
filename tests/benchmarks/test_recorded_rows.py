"""Rows of a recording are found again in any copy of their data set, and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.recorded_rows import checksums_of, write_rows
from benchmarks.replay import main
from econ_env.errors import UsageError
from econ_env.questions.load import load_questions

ROWS = [
    {"question": "How much is 1 + 1?", "answer": "One and one.\n#### 2"},
    {"question": "How much is 2 + 2?", "answer": "Two and two.\n#### 4"},
    {"question": "How much is 3 + 3?", "answer": "Three and three.\n#### 6"},
]


def folder_of(path: Path, rows: list[dict[str, str]], name: str = "gsm8k") -> Path:
    folder = path / name
    folder.mkdir(parents=True)
    (folder / "test.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return folder


def test_the_rows_of_a_part_come_back_from_the_whole_in_their_order(tmp_path: Path) -> None:
    part = folder_of(tmp_path / "part", [ROWS[2], ROWS[0]])
    whole = folder_of(tmp_path / "whole", ROWS)
    assert main(["rows", "gsm8k", "--data-path", str(part), "--out", str(tmp_path)]) == 0
    written = write_rows(
        tmp_path / "gsm8k_test_rows.txt", "gsm8k", "test", whole, tmp_path / "again"
    )
    again, before = (load_questions("gsm8k", data_path=path) for path in (written, part))
    # Ids decide seeds, and texts requests: a recording needs both.
    assert [again[i] for i in range(2)] == [before[i] for i in range(2)]


def test_a_question_of_two_fields_is_read_as_the_same_text_again(tmp_path: Path) -> None:
    rows = [{"Body": "Ann has 3 eggs. She eats one.", "Question": "How many left?", "Answer": "2"}]
    folder = folder_of(tmp_path, rows, "svamp")
    main(["rows", "svamp", "--data-path", str(folder), "--out", str(tmp_path)])
    written = write_rows(
        tmp_path / "svamp_test_rows.txt", "svamp", "test", folder, tmp_path / "again"
    )
    again, before = (load_questions("svamp", data_path=path)[0] for path in (written, folder))
    assert (again.id, again.text, again.gold) == (before.id, before.text, before.gold)


def test_checksums_hold_no_word_of_a_question_and_do_not_depend_on_white_space(
    tmp_path: Path,
) -> None:
    spaced = [{**row, "question": row["question"].replace(" ", "  ")} for row in ROWS]
    found = checksums_of("gsm8k", "test", folder_of(tmp_path / "a", ROWS))
    assert found == checksums_of("gsm8k", "test", folder_of(tmp_path / "b", spaced))
    assert len(set(found)) == 3
    assert all(len(one) == 16 and set(one) <= set("0123456789abcdef") for one in found)


def test_rows_that_are_missing_are_counted_and_nothing_is_played(tmp_path: Path) -> None:
    whole, part = folder_of(tmp_path / "whole", ROWS), folder_of(tmp_path / "part", ROWS[:1])
    main(["rows", "gsm8k", "--data-path", str(whole), "--out", str(tmp_path)])
    with pytest.raises(UsageError, match="2 of the 3 rows that were played are not in"):
        write_rows(tmp_path / "gsm8k_test_rows.txt", "gsm8k", "test", part, tmp_path / "again")
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize("name", ["gsm8k", "svamp", "math500"])
def test_the_committed_checksums_are_those_of_the_rows_at_hand(
    name: str, repository: Path, data_dir: Path
) -> None:
    committed = repository / "benchmarks" / "recordings" / f"{name}_test_rows.txt"
    assert committed.read_text("utf-8").split() == checksums_of(name, "test", data_dir / name)
