"""The order of questions is complete, reproducible and can be entered anywhere."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from econ_env.questions import (
    OrderState,
    OutOfQuestions,
    Question,
    QuestionError,
    QuestionOrder,
    QuestionSource,
)


class Numbered:
    """Questions whose id is their index."""

    name = "numbered"

    def __init__(self, size: int) -> None:
        self.size = size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> Question:
        return Question(id=str(index), text=f"What is {index}?", gold=str(index))


def take(order: QuestionOrder, count: int) -> list[int]:
    return [int(order.next().id) for _ in range(count)]


def test_a_source_is_recognised_by_its_methods() -> None:
    assert isinstance(Numbered(1), QuestionSource)
    assert not isinstance("numbered", QuestionSource)


def test_sequential_asks_in_the_order_of_the_source_and_starts_again() -> None:
    assert take(QuestionOrder(Numbered(3)), 7) == [0, 1, 2, 0, 1, 2, 0]


@given(size=st.integers(1, 60), seed=st.integers(0, 2**31 - 1))
def test_every_shuffled_pass_asks_every_question_once(size: int, seed: int) -> None:
    order = QuestionOrder(Numbered(size), order="shuffled", seed=seed)
    for _ in range(3):
        assert sorted(take(order, size)) == list(range(size))


def test_shuffled_passes_and_seeds_differ() -> None:
    first = QuestionOrder(Numbered(50), order="shuffled", seed=1)
    passes = [take(first, 50), take(first, 50)]
    other = take(QuestionOrder(Numbered(50), order="shuffled", seed=2), 50)
    assert list(range(50)) not in passes
    assert passes[0] != passes[1]
    assert passes[0] != other


def test_the_shuffle_of_a_seed_never_changes() -> None:
    # A changed order would silently change every experiment that names its seed.
    order = QuestionOrder(Numbered(10), order="shuffled", seed=7)
    assert take(order, 10) == [6, 4, 9, 2, 0, 1, 7, 5, 3, 8]
    assert take(order, 10) == [5, 2, 4, 3, 6, 1, 0, 7, 9, 8]


@pytest.mark.parametrize("order", ["sequential", "shuffled"])
def test_without_loop_the_order_ends_and_stays_ended(order: str) -> None:
    questions = QuestionOrder(Numbered(3), order=order, loop=False)  # type: ignore[arg-type]
    assert sorted(take(questions, 3)) == [0, 1, 2]
    for _ in range(2):
        with pytest.raises(OutOfQuestions, match=r"all 3 questions of 'numbered'.*loop=True"):
            questions.next()


@given(
    size=st.integers(1, 12),
    seed=st.integers(0, 99),
    before=st.integers(0, 40),
    after=st.integers(1, 40),
)
def test_a_state_continues_the_same_sequence(size: int, seed: int, before: int, after: int) -> None:
    whole = QuestionOrder(Numbered(size), order="shuffled", seed=seed)
    take(whole, before)
    resumed = QuestionOrder(Numbered(size), order="shuffled", seed=seed)
    resumed.state = whole.state
    assert take(resumed, after) == take(whole, after)


def test_a_pickled_order_continues_the_same_sequence() -> None:
    order = QuestionOrder(Numbered(9), order="shuffled", seed=4)
    take(order, 13)
    copy = pickle.loads(pickle.dumps(order))  # noqa: S301 - these bytes are our own
    assert take(copy, 20) == take(order, 20)


@pytest.mark.parametrize("state", [(-1, 0), (0, -1), (0, 4)])
def test_a_state_outside_the_source_is_refused(state: tuple[int, int]) -> None:
    order = QuestionOrder(Numbered(3))
    with pytest.raises(ValueError, match=r"position is in 0\.\.3"):
        order.state = OrderState(*state)


def test_an_empty_source_is_refused() -> None:
    with pytest.raises(QuestionError, match="'numbered' holds no questions"):
        QuestionOrder(Numbered(0))


def test_an_unknown_order_is_refused() -> None:
    with pytest.raises(ValueError, match="'sequential' or 'shuffled', not 'random'"):
        QuestionOrder(Numbered(3), order="random")  # type: ignore[arg-type]
