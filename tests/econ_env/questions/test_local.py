"""Questions from files: every format reads alike, and every fault is named with its place."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pyarrow  # type: ignore[import-untyped]
import pyarrow.parquet  # type: ignore[import-untyped]
import pytest

from econ_env.questions import LocalQuestions, Question, QuestionError

Row = Mapping[str, object]

ROWS: list[Row] = [
    {"question": " How many\u2028legs has a cow? ", "answer": "4"},
    {"question": 'She said "two, three".\nHow many?', "answer": "2"},
]


def write_jsonl(path: Path, rows: Sequence[Row]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


def write_json(path: Path, rows: Sequence[Row]) -> None:
    path.write_text(json.dumps(rows), "utf-8")


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_parquet(path: Path, rows: Sequence[Row]) -> None:
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(rows)), path)


WRITERS = {
    "jsonl": write_jsonl,
    "json": write_json,
    "csv": write_csv,
    "parquet": write_parquet,
}


@pytest.fixture
def jsonl(tmp_path: Path) -> Callable[..., Path]:
    """Writes rows (or the exact bytes of the file) to ``faulty.jsonl``."""

    def write(*rows: Row, content: bytes | None = None) -> Path:
        path = tmp_path / "faulty.jsonl"
        if content is None:
            write_jsonl(path, rows)
        else:
            path.write_bytes(content)
        return path

    return write


def everything(questions: LocalQuestions) -> list[Question]:
    return [questions[index] for index in range(len(questions))]


@pytest.mark.parametrize("suffix", WRITERS)
def test_every_format_gives_the_same_questions(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"cows.{suffix}"
    WRITERS[suffix](path, ROWS)
    questions = LocalQuestions(path)
    assert [(q.text, q.gold) for q in everything(questions)] == [
        ("How many\u2028legs has a cow?", "4"),
        ('She said "two, three".\nHow many?', "2"),
    ]
    assert questions.name == f"{tmp_path.name}/cows.{suffix}"
    assert questions.skipped == 0


def test_the_id_of_a_question_is_its_line(jsonl: Callable[..., Path], tmp_path: Path) -> None:
    path = jsonl(content=b'{"question": "a", "answer": 1}\n\n{"question": "b", "answer": 2}\n')
    assert [q.id for q in everything(LocalQuestions(path))] == [
        f"{tmp_path.name}/faulty.jsonl:1",
        f"{tmp_path.name}/faulty.jsonl:3",
    ]


def test_a_byte_order_mark_and_a_missing_last_line_feed_are_no_fault(
    jsonl: Callable[..., Path],
) -> None:
    path = jsonl(content=b'\xef\xbb\xbf{"question": "a", "answer": 1}')
    assert LocalQuestions(path)[0].text == "a"


@pytest.mark.parametrize(
    ("row", "text", "gold", "kind"),
    [
        ({"question": "q", "answer": "so\n#### 18"}, "q", "so\n#### 18", ""),
        (
            {"problem": "p", "solution": "s", "answer": "a", "subject": "Algebra"},
            "p",
            "a",
            "Algebra",
        ),
        ({"problem": "p", "solution": r"\boxed{1}", "type": "T"}, "p", r"\boxed{1}", "T"),
        ({"Body": "b", "Question": "q", "Answer": "1", "Type": "Sum"}, "b q", "1", "Sum"),
        ({"Body": "b", "question_concat": "c", "Answer": "1"}, "c", "1", ""),
        ({"input": "i", "target": -9.5}, "i", "-9.5", ""),
    ],
)
def test_the_fields_of_known_data_sets_are_recognised(
    jsonl: Callable[..., Path], row: Row, text: str, gold: str, kind: str
) -> None:
    question = LocalQuestions(jsonl(row))[0]
    assert (question.text, question.gold, question.kind) == (text, gold, kind)


def test_named_fields_win_over_recognised_ones(jsonl: Callable[..., Path]) -> None:
    path = jsonl({"question": "q", "answer": "a", "prompt": "p", "label": "l"})
    question = LocalQuestions(path, "prompt", "label")[0]
    assert (question.text, question.gold) == ("p", "l")


@pytest.mark.parametrize(
    ("answer", "gold"),
    [
        (True, "yes"),
        (False, "no"),
        (7, "7"),
        (0, "0"),
        (-9867630.0, "-9867630.0"),
        (3244047.0999999996, "3244047.0999999996"),
        (2.0107e-06, "0.0000020107"),
        (1e22, "10000000000000000000000"),
        (" 1,000 ", "1,000"),
    ],
)
def test_a_gold_answer_becomes_text_without_loss(
    jsonl: Callable[..., Path], answer: object, gold: str
) -> None:
    assert LocalQuestions(jsonl({"question": "q", "answer": answer}))[0].gold == gold


def test_too_long_rows_are_left_out_and_counted(jsonl: Callable[..., Path]) -> None:
    path = jsonl(
        {"question": "12345", "answer": "123"},
        {"question": "123456", "answer": "1"},
        {"question": "1", "answer": "1234"},
    )
    questions = LocalQuestions(path, max_question_length=5, max_answer_length=3)
    assert [q.text for q in everything(questions)] == ["12345"]
    assert questions.skipped == 2
    assert len(LocalQuestions(path)) == 3


def test_a_file_of_only_too_long_rows_is_an_error(jsonl: Callable[..., Path]) -> None:
    path = jsonl({"question": "12345", "answer": "1"})
    with pytest.raises(QuestionError, match=r"all 1 questions are longer.*max_question_length=4"):
        LocalQuestions(path, max_question_length=4)


def test_a_length_limit_below_one_is_refused(jsonl: Callable[..., Path]) -> None:
    with pytest.raises(ValueError, match="max_question_length must be at least 1 or None, not 0"):
        LocalQuestions(jsonl(), max_question_length=0)


def test_a_missing_file_is_named_with_its_full_path(tmp_path: Path) -> None:
    with pytest.raises(QuestionError, match=rf"no such file \(looked at {tmp_path}/absent.jsonl"):
        LocalQuestions(tmp_path / "absent.jsonl")


def test_another_format_is_refused_with_those_accepted(tmp_path: Path) -> None:
    with pytest.raises(QuestionError, match=r"with the extension '\.xlsx'.*\.jsonl, \.json, \.par"):
        LocalQuestions(tmp_path / "rows.xlsx")


@pytest.mark.parametrize("suffix", ["jsonl", "json", "csv"])
def test_a_file_without_rows_is_an_error(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"empty.{suffix}"
    path.write_text({"jsonl": "", "json": "[]", "csv": "question,answer\n"}[suffix])
    with pytest.raises(QuestionError, match=rf"empty\.{suffix}: the data set holds no questions"):
        LocalQuestions(path)


def test_a_missing_field_is_named_with_row_and_neighbours(jsonl: Callable[..., Path]) -> None:
    path = jsonl({"question": "q", "answer": "1"}, {"questoin": "q", "answer": "1"})
    with pytest.raises(QuestionError) as caught:
        LocalQuestions(path)
    assert str(caught.value) == (
        f"{path}, line 2: no field 'question'; fields there: 'questoin', 'answer'. "
        "Did you mean 'questoin'?"
    )


def test_unknown_fields_are_listed(jsonl: Callable[..., Path]) -> None:
    with pytest.raises(QuestionError, match=r"Fields there: 'prompt', 'label'.*question/answer"):
        LocalQuestions(jsonl({"prompt": "p", "label": "l"}))


def test_naming_only_one_field_is_refused(jsonl: Callable[..., Path]) -> None:
    with pytest.raises(QuestionError, match="together, or neither"):
        LocalQuestions(jsonl({"question": "q", "answer": "1"}), question_field_name="question")


@pytest.mark.parametrize("value", ["", " \n ", None])
@pytest.mark.parametrize("field", ["question", "answer"])
def test_an_empty_field_is_an_error(
    jsonl: Callable[..., Path], field: str, value: str | None
) -> None:
    path = jsonl({"question": "q", "answer": "1"}, {"question": "q", "answer": "1", field: value})
    with pytest.raises(QuestionError, match=rf"faulty\.jsonl, line 2: field '{field}' is empty"):
        LocalQuestions(path)


@pytest.mark.parametrize("value", [["1", "2"], {"value": 1}, float("nan"), float("inf")])
def test_an_answer_without_plain_text_is_an_error(
    jsonl: Callable[..., Path], value: object
) -> None:
    with pytest.raises(QuestionError, match="line 1: field 'answer' must be text, a finite number"):
        LocalQuestions(jsonl({"question": "q", "answer": value}))


GOOD = b'{"question": "q", "answer": "1"}\n'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (GOOD + b'{"question": "q", "answer"\n', r"line 2: not valid JSON.*one object per line"),
        (GOOD + b"[" * 100_000, "line 2: not valid JSON"),
        (GOOD + b'{"question": "q", "answer": ' + b"9" * 5000 + b"}", "line 2: not valid JSON"),
        (GOOD + b'["q", "1"]\n', "line 2: a row must be a JSON object, not list"),
        (GOOD + b'{"question": "caf\xe9"}\n', r"line 2: not UTF-8 text \(byte 0xe9 at column 18\)"),
    ],
)
def test_a_malformed_line_is_named(
    jsonl: Callable[..., Path], content: bytes, message: str
) -> None:
    with pytest.raises(QuestionError, match=message):
        LocalQuestions(jsonl(content=content))


@pytest.mark.parametrize(
    "content",
    [
        GOOD + GOOD,
        GOOD + b"\n" + GOOD.rstrip(),
        b"[" + GOOD + b"," + GOOD + b"]",
        b'{"data": [' + GOOD + b"," + GOOD + b"]}",
        b'{"version": 1, "source": {"url": "x"}, "rows": [' + GOOD + b"," + GOOD + b"]}",
        b'{"mine": [' + GOOD + b"," + GOOD + b'], "note": "two"}',
        b'{"question": "q",\n "answer": "1"}\n{"question": "q",\n "answer": "1"}',
    ],
)
def test_a_json_file_holds_a_list_alone_or_under_a_name_or_one_object_per_line(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "rows.json"
    path.write_bytes(content)
    questions = everything(LocalQuestions(path))
    assert [(question.text, question.gold) for question in questions] == [("q", "1")] * 2


def test_one_object_with_fields_is_one_row(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_bytes(GOOD)
    assert len(LocalQuestions(path)) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"a": [' + GOOD + b'], "b": [' + GOOD + b"]}", r"several lists of objects \(a, b\)"),
        (b'{"question": {"0": "q"}, "answer": {"0": "1"}}', "object without such a list"),
        (b'"text"', "one list of objects, not str"),
        (GOOD + b'{"question"', "not valid JSON: Expecting ':' delimiter: line 2"),
        (GOOD + b"7\n", "row 2: a row must be a JSON object, not int"),
        (b"[" + GOOD + b",", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b'{"data":' * 100_000, "not valid JSON"),
    ],
)
def test_a_json_file_without_one_list_is_explained(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "rows.json"
    path.write_bytes(content)
    with pytest.raises(QuestionError, match=message):
        LocalQuestions(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("question,answer\nq,1\nq,1,000\n", "line 3: 3 cells, but the header names 2 columns"),
        ("question,question\nq,1\n", "line 1: a column name occurs twice"),
        ('question,answer\n"q" x,1\n', "line 2: not valid csv"),
        ("question,answer\nq,\n", "line 2: field 'answer' is empty"),
    ],
)
def test_malformed_csv_is_named_with_its_line(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(content)
    with pytest.raises(QuestionError, match=message):
        LocalQuestions(path)


def test_a_file_that_is_no_parquet_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    path.write_bytes(b"PAR1 but not really")
    with pytest.raises(QuestionError, match=r"rows\.parquet: not a valid parquet file"):
        LocalQuestions(path)


@pytest.mark.parametrize(
    ("folder", "rows", "with_kind"),
    [
        ("gsm8k", 660, False),
        ("svamp", 150, True),
        ("math500", 250, True),
        ("gsm_hard", 300, False),
        ("strategyqa", 200, False),
    ],
)
def test_real_data_sets_load_without_naming_fields(
    data_dir: Path, folder: str, rows: int, with_kind: bool
) -> None:
    questions = everything(LocalQuestions(data_dir / folder / "test.jsonl"))
    assert len(questions) == rows
    assert len({question.id for question in questions}) == rows
    assert all(bool(question.kind) == with_kind for question in questions)


def test_real_boolean_answers_are_yes_or_no(data_dir: Path) -> None:
    questions = everything(LocalQuestions(data_dir / "strategyqa" / "test.jsonl"))
    assert {question.gold for question in questions} == {"yes", "no"}


def test_lone_surrogates_become_question_marks_so_that_questions_can_be_written(
    tmp_path: Path,
) -> None:
    file = tmp_path / "surrogates.jsonl"
    file.write_text(r'{"question": "How many \ud800 \ud83c\udf4e?", "answer": "7\udfff"}')
    question = LocalQuestions(file)[0]
    assert question.text == "How many ? \N{RED APPLE}?"
    assert question.gold == "7?"
    question.text.encode("utf-8")
