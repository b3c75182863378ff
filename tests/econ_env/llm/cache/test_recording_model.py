"""A recorded model answers as before, asks only what is new, and replays without being there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from econ_env.llm.budget.limits import Budget, BudgetExceeded, BudgetLimits, LimitedModel
from econ_env.llm.cache.keys import (
    content_version,
    local_version,
    model_key,
    question_start,
    request_json,
    request_key,
)
from econ_env.llm.cache.recording_model import RecordingModel, ReplayMiss
from econ_env.llm.cache.store import CompletionStore
from econ_env.llm.incremental import Answers, completions_of
from econ_env.llm.types import ChatRequest, Completion, Message, ModelError, Usage

SPENT = Usage(prompt_tokens=5, completion_tokens=2, requests=1)


class Counting:
    """Answers with a running number; fails or stops where told to; hands over one by one."""

    context_limit: int | None = 100
    tokens_per_message = 3

    def __init__(self, name: str = "m", stop_after: int | None = None) -> None:
        self.name = name
        self.asked: list[ChatRequest] = []
        self.counted: list[str] = []
        self.failing: set[str] = set()
        self.stop_after = stop_after

    def generate(self, requests: Sequence[ChatRequest]) -> list[Completion]:
        return [completion for _, completion in self.generate_each(requests)]

    def generate_each(self, requests: Sequence[ChatRequest]) -> Answers:
        for index, request in enumerate(requests):
            if len(self.asked) == self.stop_after:
                raise KeyboardInterrupt
            self.asked.append(request)
            if request.messages[0].content in self.failing:
                yield index, Completion.failure("out of order", SPENT)
            else:
                yield index, Completion(text=str(len(self.asked)), usage=SPENT)

    def count_tokens(self, text: str) -> int:
        self.counted.append(text)
        return len(text)

    def close(self) -> None:
        pass


class Absent:
    """A model that cannot be used: a replay must not need it."""

    name = "m"

    @property
    def context_limit(self) -> int | None:
        raise AssertionError("a replay touched the model")

    def generate(self, requests: Sequence[ChatRequest]) -> list[Completion]:
        raise AssertionError("a replay asked the model")

    def count_tokens(self, text: str) -> int:
        raise AssertionError("a replay counted with the model")

    def close(self) -> None:
        pass


def ask(content: str = "3 + 4?", **changes: Any) -> ChatRequest:
    request = ChatRequest(
        messages=(Message(role="user", content=content),),
        temperature=0.7,
        max_tokens=20,
        seed=1,
        model="m",
        role="execute",
    )
    return replace(request, **changes)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CompletionStore]:
    store = CompletionStore(tmp_path / "cache.sqlite")
    yield store
    store.close()


def replayed(store: CompletionStore, **settings: Any) -> RecordingModel:
    return RecordingModel(Absent(), store, "replay", **settings)


def test_a_request_is_asked_once_and_replayed_as_it_was(store: CompletionStore) -> None:
    model = Counting()
    recorded = RecordingModel(model, store, "read_write")
    requests = [ask("a"), ask("b"), ask("c")]
    first = recorded.generate(requests)
    assert [completion.text for completion in first] == ["1", "2", "3"]
    assert recorded.generate(requests) == first
    assert replayed(store).generate(requests) == first
    assert len(model.asked) == 3, "and an empty batch asks for nothing"


def test_new_and_known_requests_of_one_batch_keep_their_order(store: CompletionStore) -> None:
    model = Counting()
    recorded = RecordingModel(model, store, "read_write")
    recorded.generate([ask("b")])
    answers = recorded.generate([ask("a"), ask("b"), ask("c"), ask("a"), ask("b")])
    assert [completion.text for completion in answers] == ["2", "1", "3", "2", "1"]
    assert [request.messages[0].content for request in model.asked] == ["b", "a", "c"]


def test_one_by_one_what_is_recorded_comes_first_and_what_is_new_is_kept(
    store: CompletionStore,
) -> None:
    model = Counting()
    recorded = RecordingModel(model, store, "read_write")
    recorded.generate([ask("b")])
    came = list(completions_of(recorded, [ask("a"), ask("b"), ask("c"), ask("a")]))
    assert [(index, completion.text) for index, completion in came] == [
        (1, "1"),
        (0, "2"),
        (3, "2"),
        (2, "3"),
    ]
    assert replayed(store).generate([ask("c")])[0].text == "3"


def test_hits_are_counted_apart_from_what_is_spent(store: CompletionStore) -> None:
    budget = Budget()
    recorded = RecordingModel(LimitedModel(Counting(), budget), store, "read_write")
    recorded.generate([ask("a"), ask("a"), ask("b")])
    assert (budget.usage.requests, recorded.saved.requests) == (2, 1)
    answers = recorded.generate([ask("a"), ask("b"), ask("c")])
    assert [answer.usage for answer in answers] == [SPENT] * 3, "as recorded, hit or not"
    assert (budget.usage.requests, recorded.saved.requests) == (3, 3)
    assert recorded.saved.total_tokens == 3 * SPENT.total_tokens


def test_failures_are_passed_on_and_asked_again(store: CompletionStore) -> None:
    model = Counting()
    model.failing = {"b"}
    recorded = RecordingModel(model, store, "read_write")
    assert [c.error for c in recorded.generate([ask("a"), ask("b")])] == [None, "out of order"]
    with pytest.raises(ReplayMiss):
        replayed(store).generate([ask("a"), ask("b")])
    model.failing = set()
    assert [c.text for c in recorded.generate([ask("a"), ask("b")])] == ["1", "3"]


def test_an_interrupted_batch_keeps_what_was_answered(store: CompletionStore) -> None:
    model = Counting(stop_after=2)
    recorded = RecordingModel(model, store, "read_write")
    with pytest.raises(KeyboardInterrupt):
        recorded.generate([ask("a"), ask("b"), ask("c")])
    model.stop_after = None
    assert [c.text for c in recorded.generate([ask("a"), ask("b"), ask("c")])] == ["1", "2", "3"]
    assert len(model.asked) == 3


def test_an_exhausted_budget_keeps_what_was_answered(store: CompletionStore) -> None:
    model = Counting()
    requests = [ask(text) for text in "abcde"]

    def within(max_requests: int) -> RecordingModel:
        budget = Budget(BudgetLimits(max_requests=max_requests))
        return RecordingModel(LimitedModel(model, budget), store, "read_write")

    with pytest.raises(BudgetExceeded):
        within(3).generate(requests)
    assert len(model.asked) == 3
    assert [c.text for c in within(2).generate(requests)] == ["1", "2", "3", "4", "5"]
    assert len(model.asked) == 5


def test_a_miss_names_the_request_the_file_and_the_way_on(store: CompletionStore) -> None:
    RecordingModel(Counting(), store, "read_write").generate([ask("a")])
    question = "How many\napples " + "and pears " * 30
    with pytest.raises(ReplayMiss) as error:
        replayed(store).generate([ask("a"), ask(question, role="commit"), ask("c")])
    message = str(error.value)
    for part in (str(store.path), "2 of 3", "'commit'", "'m'", "'How many apples", "read_write"):
        assert part in message
    assert len(message) < 700, "the start of the question, not all of it"


@pytest.mark.parametrize("other", ["name", "settings"])
def test_a_model_that_was_not_recorded_is_a_miss(store: CompletionStore, other: str) -> None:
    RecordingModel(Counting(), store, "read_write", settings={"a": 1}).generate([ask()])
    model = Counting("n") if other == "name" else Counting()
    settings = {"a": 1 if other == "name" else 2}
    with pytest.raises(ReplayMiss, match="has no recording of the model"):
        RecordingModel(model, store, "replay", settings=settings).generate([ask()])
    assert not model.asked


def test_another_version_of_a_model_is_asked_anew_and_replayed_by_default(
    store: CompletionStore,
) -> None:
    model = Counting()
    for version in ("old", "new"):
        RecordingModel(model, store, "read_write", version=version.lower).generate([ask()])
    assert len(model.asked) == 2
    assert replayed(store).generate([ask()])[0].text == "2"


CHANGES: dict[str, Any] = {
    "messages": (Message(role="system", content="3 + 4?"),),
    "temperature": 0.71,
    "repetition_penalty": 1.01,
    "top_p": 0.99,
    "max_tokens": 21,
    "seed": 2,
    "model": "n",
    "role": "commit",
}


def test_every_field_of_a_request_is_part_of_its_key() -> None:
    assert set(CHANGES) == set(ask().to_json()), "a new field must be here too"
    model = model_key("m", {}, "")
    keys = {request_key(model, request_json(ask(**{name: CHANGES[name]}))) for name in CHANGES}
    assert len(keys | {request_key(model, request_json(ask()))}) == len(CHANGES) + 1


def test_equal_requests_have_equal_keys_whatever_the_type_of_their_numbers() -> None:
    assert request_json(ask(temperature=0, top_p=1)) == request_json(
        ask(temperature=0.0, top_p=1.0)
    )


@given(st.lists(st.tuples(st.text(), st.text(), st.text()), unique=True, min_size=2))
def test_models_that_differ_have_different_keys(models: list[tuple[str, str, str]]) -> None:
    keys = {model_key(name, {"s": setting}, version) for name, setting, version in models}
    assert len(keys) == len(models)


def test_limits_of_the_model_are_remembered(store: CompletionStore) -> None:
    model = Counting()
    recorded = RecordingModel(model, store, "read_write")
    assert (recorded.context_limit, recorded.tokens_per_message) == (100, 3)
    assert [recorded.count_tokens("four"), recorded.count_tokens("four")] == [4, 4]
    assert model.counted == ["four"]
    offline = replayed(store)
    assert (offline.context_limit, offline.tokens_per_message) == (100, 3)
    assert offline.count_tokens("four") == 4
    with pytest.raises(ReplayMiss, match=r"token count of a text.*'other'.*read_write"):
        offline.count_tokens("other")


def test_a_model_at_hand_is_asked_for_its_limits_and_not_the_file(store: CompletionStore) -> None:
    model = Counting()
    assert RecordingModel(model, store, "read_write", at_hand=True).context_limit == 100
    model.context_limit = 300
    assert RecordingModel(model, store, "read_write").context_limit == 100
    assert RecordingModel(model, store, "read_write", at_hand=True).context_limit == 300
    assert replayed(store).context_limit == 300


def test_a_model_that_answers_too_little_is_an_error(store: CompletionStore) -> None:
    class Short(Counting):
        def generate_each(self, requests: Sequence[ChatRequest]) -> Answers:
            yield 0, Completion(text="only one")

    with pytest.raises(ModelError, match="1 completions for 2"):
        RecordingModel(Short(), store, "read_write").generate([ask("a"), ask("b")])


def test_the_mode_is_checked(store: CompletionStore) -> None:
    mode: Any = "off"
    with pytest.raises(ValueError, match="read_write"):
        RecordingModel(Counting(), store, mode)


def test_the_start_of_a_question_is_one_short_line() -> None:
    assert question_start(ask("a\n b").messages) == "a b"
    assert question_start(ask("x" * 100).messages) == "x" * 80 + "..."
    assert question_start(()) == ""


@pytest.mark.parametrize("version", [local_version, content_version])
@pytest.mark.parametrize("change", ["content", "name", "one more"])
def test_the_version_of_a_folder_changes_with_its_files(
    tmp_path: Path, version: Callable[[Any], str], change: Literal["content", "name", "one more"]
) -> None:
    file = tmp_path / "model.safetensors"
    file.write_text("weights")
    before = version(str(tmp_path) if version is local_version else tmp_path)
    if change == "content":
        file.write_text("other weights")
    elif change == "name":
        file.rename(tmp_path / "adapter.safetensors")
    else:
        (tmp_path / "config.json").touch()
    content_version.cache_clear()
    assert version(str(tmp_path) if version is local_version else tmp_path) != before
