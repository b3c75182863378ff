"""Prompts are cut to the context limit: as little as possible, part by part in order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import econ_env
from econ_env.game.prompt_fitting import ModelLimits, Part, PromptTooLong, Texts, fit, surely_fits
from econ_env.llm.types import Message
from tests.support import RecordingModel


def render(texts: Texts) -> tuple[Message, ...]:
    content = "\n".join("|".join(part) for part in texts)
    return (Message(role="user", content=content),)


def limits(context_limit: int | None) -> ModelLimits:
    return ModelLimits(context_limit=context_limit, count_tokens=len, tokens_per_message=0)


def parts(responses: tuple[str, ...], strategy: str, question: str) -> list[Part]:
    return [
        Part(name="responses", texts=responses, minimum=4),
        Part(name="strategy", texts=(strategy,)),
        Part(name="question", texts=(question,), minimum=5),
    ]


words = st.text("abc ", max_size=300)


@given(st.lists(words, min_size=1, max_size=4), words, words, st.integers(1, 800))
def test_a_prompt_fits_or_is_refused(
    responses: list[str], strategy: str, question: str, room: int
) -> None:
    given_parts = parts(tuple(responses), strategy, question)
    whole = len(render([part.texts for part in given_parts])[0].content)
    try:
        messages, cuts = fit(render, given_parts, limits(room + 10), 10)
    except PromptTooLong:
        shortest = sum(min(4 + 4, len(text)) for text in responses) + min(5 + 4, len(question))
        assert shortest + len(responses) + 1 > room
        return
    assert len(messages[0].content) <= room
    assert bool(cuts) == (whole > room)
    # The order of cutting: a later part is whole unless the one before is at its minimum.
    assert [cut.part for cut in cuts] == [
        name for name in ("responses", "strategy", "question") if name in {cut.part for cut in cuts}
    ]
    if cuts:
        assert cuts[0].tokens_before == whole
        assert cuts[-1].tokens_after == len(messages[0].content)


def test_long_responses_lose_their_heads_evenly_and_short_ones_nothing() -> None:
    given_parts = parts(("a" * 500 + "7", "b" * 300 + "8", "nine"), "plan", "question")
    messages, (cut,) = fit(render, given_parts, limits(130), 10)
    first, second, third = messages[0].content.splitlines()[0].split("|")
    assert (first[-1], second[-1], third) == ("7", "8", "nine")
    assert len(first) == len(second)
    assert first.startswith("... a")
    assert cut.part == "responses"
    # As little as possible is cut: one character more in each would not fit.
    assert len(messages[0].content) + 2 > 120


def test_the_question_is_cut_last_and_never_away() -> None:
    given_parts = parts(("a" * 50,), "b" * 50, "c" * 50 + "how?")
    messages, cuts = fit(render, given_parts, limits(40), 10)
    assert [cut.part for cut in cuts] == ["responses", "strategy", "question"]
    responses, strategy, question = messages[0].content.splitlines()
    assert (responses, strategy) == ("... aaaa", "")
    assert question.endswith("ccchow?")
    with pytest.raises(PromptTooLong, match=r"context limit is 20 tokens.*needs 10.*has 19"):
        fit(render, given_parts, limits(20), 10)


def test_a_prompt_that_fits_is_left_alone() -> None:
    given_parts = parts(("a",), "b", "c")
    assert fit(render, given_parts, limits(None), 10) == (render([("a",), ("b",), ("c",)]), [])
    assert fit(render, given_parts, limits(15), 10)[1] == []


def test_tokens_are_counted_few_times_and_of_short_texts_only() -> None:
    counted: list[int] = []

    def count(text: str) -> int:
        counted.append(len(text))
        return len(text)

    given_parts = parts(("a" * 1_000_000,), "b", "c")
    few = ModelLimits(context_limit=1000, count_tokens=count)
    fit(render, given_parts, few, 10)
    assert len(counted) <= 24
    assert sorted(counted)[-2] < 5_000  # all but the first count, which is of the whole


@given(st.text(max_size=50), st.integers(0, 300))
def test_what_surely_fits_does_fit_any_byte_level_tokenizer(text: str, room: int) -> None:
    messages = (Message(role="user", content=text),)
    bytewise = ModelLimits(
        context_limit=room + 8, count_tokens=lambda t: len(t.encode()), tokens_per_message=8
    )
    assert surely_fits(messages, bytewise, 0) == (bytewise.count_tokens(text) <= room)


def test_without_a_known_limit_everything_fits() -> None:
    assert surely_fits((Message(role="user", content="a" * 10_000),), limits(None), 10)


class WordyModel(RecordingModel):
    """Its chat template writes a page around every message."""

    context_limit = 1_000
    tokens_per_message = 990


@pytest.mark.parametrize(("model", "asked"), [(RecordingModel(), 1), (WordyModel(), 0)])
def test_a_prompt_is_sent_only_where_the_models_own_template_leaves_room_for_it(
    model: RecordingModel, asked: int
) -> None:
    env = econ_env.parallel_env(dataset="simulated", llm=model, embedder="hashing")
    env.reset(seed=0)
    assert len(model.log) == asked
    env.close()
