"""A stream is read as far as it is played, and its order is as reproducible as any other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from econ_env.envs.question_schedule import Schedule
from econ_env.questions import OutOfQuestions, QuestionError, QuestionOrder, base
from econ_env.questions.fields import Fields
from econ_env.questions.listed import ListedQuestions
from econ_env.questions.rows import Row
from econ_env.questions.streamed import StreamedQuestions
from econ_env.questions.table import Limits, Table

NO_LIMITS = Limits()
TWICE = Fields(question=("q", "q"), answer="a")


class Rows:
    """``count`` rows that are handed out one by one; ``read`` says how many were."""

    def __init__(self, count: int, *, faulty: int | None = None) -> None:
        self.count = count
        self.faulty = faulty
        self.read = 0

    def __call__(self) -> Iterator[Row]:
        for number in range(1, self.count + 1):
            self.read += 1
            yield number, {"q": "" if number == self.faulty else str(number), "a": "1"}


def table(rows: Rows) -> Table:
    return Table(
        name="stream",
        where="a stream",
        unit="row",
        rows=rows,
        fields=Fields(question=("q",), answer="a"),
    )


def take(order: QuestionOrder, count: int) -> list[int]:
    return [int(order.next().text) for _ in range(count)]


def test_a_sequential_order_reads_no_row_before_it_is_asked() -> None:
    rows = Rows(100)
    order = QuestionOrder(StreamedQuestions(table(rows), NO_LIMITS))
    assert take(order, 5) == [1, 2, 3, 4, 5]
    assert rows.read == 5


def test_a_shuffled_order_reads_one_window_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "STREAM_WINDOW", 10)
    rows = Rows(100)
    order = QuestionOrder(StreamedQuestions(table(rows), NO_LIMITS), order="shuffled")
    assert sorted(take(order, 10)) == list(range(1, 11))
    assert rows.read == 10
    second = take(order, 10)
    assert sorted(second) == list(range(11, 21))
    assert second != sorted(second)
    assert rows.read == 20


@given(size=st.integers(1, 40), window=st.integers(1, 12), seed=st.integers(0, 99))
def test_every_pass_asks_every_question_once(size: int, window: int, seed: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "STREAM_WINDOW", window)
        source = StreamedQuestions(table(Rows(size)), NO_LIMITS)
        order = QuestionOrder(source, order="shuffled", seed=seed)
        for _ in range(2):
            assert sorted(take(order, size)) == list(range(1, size + 1))


@given(before=st.integers(0, 30), after=st.integers(1, 30))
def test_a_state_continues_the_same_sequence(before: int, after: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "STREAM_WINDOW", 4)
        whole, resumed = (
            QuestionOrder(StreamedQuestions(table(Rows(11)), NO_LIMITS), order="shuffled", seed=3)
            for _ in range(2)
        )
        take(whole, before)
        resumed.state = whole.state
        assert take(resumed, after) == take(whole, after)


def test_a_stream_of_one_window_is_shuffled_like_a_list() -> None:
    streamed = StreamedQuestions(table(Rows(50)), NO_LIMITS)
    listed = ListedQuestions(table(Rows(50)), NO_LIMITS)
    orders = [QuestionOrder(source, order="shuffled", seed=5) for source in (streamed, listed)]
    assert take(orders[0], 100) == take(orders[1], 100)


def test_a_second_pass_reads_nothing_again() -> None:
    rows = Rows(3)
    order = QuestionOrder(StreamedQuestions(table(rows), NO_LIMITS))
    assert take(order, 7) == [1, 2, 3, 1, 2, 3, 1]
    assert rows.read == 3


def test_without_loop_a_stream_ends() -> None:
    order = QuestionOrder(StreamedQuestions(table(Rows(2)), NO_LIMITS), loop=False)
    take(order, 2)
    with pytest.raises(OutOfQuestions, match="all 2 questions of 'stream'"):
        order.next()


def test_too_long_rows_are_left_out_and_counted() -> None:
    source = StreamedQuestions(table(Rows(12)), Limits(max_question_length=1))
    assert len(source) == 9
    assert source.skipped == 3


def test_a_faulty_row_is_an_error_when_it_is_reached() -> None:
    source = StreamedQuestions(table(Rows(5, faulty=3)), NO_LIMITS)
    assert source[1].text == "2"
    with pytest.raises(QuestionError, match="a stream, row 3: field 'q' is empty"):
        source[2]


def test_a_stream_without_questions_is_refused_at_once() -> None:
    with pytest.raises(QuestionError, match="a stream: the data set holds no questions"):
        StreamedQuestions(table(Rows(0)), NO_LIMITS)
    with pytest.raises(QuestionError, match="all 3 questions are longer"):
        StreamedQuestions(replace(table(Rows(3)), fields=TWICE), Limits(max_question_length=2))


def test_an_index_is_asked_for_without_reading_on() -> None:
    rows = Rows(100)
    source = StreamedQuestions(table(rows), NO_LIMITS)
    schedule = Schedule(source, num_questions=1, order="sequential", loop=True, seed=0)
    assert schedule.next_episodes([0], 6)[0].question.text == "7"
    assert rows.read == 7
    with pytest.raises(ValueError, match="has the questions 0 to 99"):
        schedule.next_episodes([0], 100)
