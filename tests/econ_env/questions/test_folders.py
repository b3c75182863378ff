"""A folder is read as people have it: files per split, a clone of the hub, or save_to_disk."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow  # type: ignore[import-untyped]
import pyarrow.parquet  # type: ignore[import-untyped]
import pytest

from econ_env.questions import QuestionError, load_questions


def write(path: Path, *golds: str) -> None:
    """Write rows in the format of the file's name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{"question": f"q{gold}", "answer": gold} for gold in golds]
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def golds(folder: Path, **settings: str) -> Sequence[str]:
    source = load_questions(folder, **settings)  # type: ignore[arg-type]
    assert len({source[index].id for index in range(len(source))}) == len(source)
    return [source[index].gold for index in range(len(source))]


def test_a_clone_of_a_repository_of_the_hub_is_read(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("---\nlicense: mit\n---\n# Rows\n")
    (tmp_path / ".gitattributes").write_text("*.parquet filter=lfs\n")
    write(tmp_path / "data" / "train-00000-of-00002.parquet", "1", "2")
    write(tmp_path / "data" / "train-00001-of-00002.parquet", "3")
    write(tmp_path / "data" / "test-00000-of-00001.parquet", "4")
    assert golds(tmp_path, split="train") == ["1", "2", "3"]
    assert golds(tmp_path) == ["4"]


@pytest.mark.parametrize(
    "place",
    [
        "data/test.jsonl",
        "data/test-00000-of-00001-0123456789abcdef.parquet",
        "test/0000.parquet",
        "data/test/part.jsonl",
        "main/test-00000-of-00001.parquet",
    ],
)
def test_a_split_is_found_in_the_usual_places(tmp_path: Path, place: str) -> None:
    write(tmp_path / place, "7")
    assert golds(tmp_path) == ["7"]


def test_shards_are_read_in_their_order_and_a_fault_names_their_row(tmp_path: Path) -> None:
    for number in range(3):
        write(tmp_path / f"test-{number:05}-of-00003.jsonl", str(2 * number), str(2 * number + 1))
    assert golds(tmp_path) == ["0", "1", "2", "3", "4", "5"]
    write(tmp_path / "test-00001-of-00003.jsonl", "2", "")
    with pytest.raises(
        QuestionError, match=r"split 'test', 3 files\), row 4: field 'answer' is em"
    ):
        load_questions(tmp_path)


def test_a_missing_shard_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "data" / "test-00001-of-00002.parquet", "1")
    with pytest.raises(QuestionError, match=r"not complete: 1 of 2 .*copy the others"):
        load_questions(tmp_path)


def test_a_folder_per_subset_is_chosen_by_name(tmp_path: Path) -> None:
    write(tmp_path / "main" / "test-00000-of-00001.parquet", "1")
    write(tmp_path / "socratic" / "test-00000-of-00001.parquet", "2")
    assert golds(tmp_path, subset="socratic") == ["2"]
    with pytest.raises(QuestionError, match=r"choose one with subset \(main, socratic\)"):
        load_questions(tmp_path)


def test_a_missing_split_is_named_with_those_there(tmp_path: Path) -> None:
    write(tmp_path / "data" / "train-00000-of-00001.parquet", "1")
    with pytest.raises(QuestionError, match=r"it holds 0\. Splits there: train"):
        load_questions(tmp_path)


def test_a_pointer_of_git_lfs_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "data" / "test-00000-of-00001.parquet"
    path.parent.mkdir()
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(QuestionError, match="git lfs pull"):
        load_questions(tmp_path)


def test_what_save_to_disk_wrote_is_read(tmp_path: Path) -> None:
    from datasets import Dataset, DatasetDict

    rows = [{"question": f"q{number}", "answer": str(number)} for number in range(5)]
    Dataset.from_list(rows).save_to_disk(tmp_path / "one", num_shards=2)
    assert golds(tmp_path / "one") == ["0", "1", "2", "3", "4"]
    splits = DatasetDict(train=Dataset.from_list(rows[:2]), test=Dataset.from_list(rows[2:]))
    splits.save_to_disk(tmp_path / "two")
    assert golds(tmp_path / "two", split="train") == ["0", "1"]
    assert golds(tmp_path / "two") == ["2", "3", "4"]
    with pytest.raises(QuestionError, match="Splits there: test, train"):
        load_questions(tmp_path / "two", split="validation")


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"_data_files": [{"filename": "../rows.arrow"}]}, "no file of this folder"),
        ({"_data_files": [{"filename": "rows.arrow"}]}, "that state.json names is missing"),
        ({"_data_files": []}, "holds no questions"),
        ({}, "not what save_to_disk writes"),
        ([], "not what save_to_disk writes"),
    ],
)
def test_a_damaged_copy_of_save_to_disk_is_an_error(
    tmp_path: Path, state: object, message: str
) -> None:
    (tmp_path / "state.json").write_text(json.dumps(state))
    with pytest.raises(QuestionError, match=message):
        load_questions(tmp_path)


def test_a_file_that_is_no_arrow_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "rows.arrow").write_bytes(b"not arrow")
    with pytest.raises(QuestionError, match=r"rows\.arrow: not a valid arrow file"):
        load_questions(tmp_path / "rows.arrow")
