"""A transcript turns into JSON and back without loss, and refuses what is not a transcript."""

from __future__ import annotations

import copy
import json
import math
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from econ_env.game.transcript import (
    ClosedBy,
    CommitmentRecord,
    DecisionRecord,
    ExecutorRecord,
    ParseMethod,
    RoundRecord,
    SettledRewards,
    ShortenedRecord,
    StrategyRecord,
    Transcript,
)
from econ_env.llm.types import FinishReason, Role, Usage
from econ_env.questions.base import Question

texts = st.text(max_size=8)
numbers = st.floats(-2, 2)
counts = st.integers(0, 2**31 - 1)
optional_text = st.none() | texts
usages = st.builds(Usage, prompt_tokens=counts, completion_tokens=counts, requests=counts)
roles = st.sampled_from(get_args(Role))
call = {
    "agent": texts,
    "model": texts,
    "seed": counts,
    "text": texts,
    "finish_reason": st.sampled_from(get_args(FinishReason)),
    "error": optional_text,
    "usage": usages,
}
strategies = st.builds(StrategyRecord, role=roles, strategy=texts, leaked=st.booleans(), **call)
executors = st.builds(
    ExecutorRecord,
    group=counts,
    temperature=numbers,
    repetition_penalty=numbers,
    answer=optional_text,
    **call,
)
commitments = st.builds(
    CommitmentRecord,
    role=roles,
    members=st.tuples(texts),
    value=optional_text,
    reason=texts,
    confidence=st.none() | st.floats(0, 1),
    checklist=st.dictionaries(texts, st.booleans(), max_size=2),
    parse_method=st.sampled_from(get_args(ParseMethod)),
    novel=st.booleans(),
    called=st.booleans(),
    **call,
)
shortened = st.builds(
    ShortenedRecord,
    agent=texts,
    role=roles,
    part=st.sampled_from(["responses", "strategy", "question"]),
    tokens_before=counts,
    tokens_after=counts,
)


def some(records: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(records, max_size=2).map(tuple)


rounds = st.builds(
    RoundRecord,
    executors=some(executors),
    commitments=some(commitments),
    shortened=some(shortened),
)
rewards = st.builds(
    SettledRewards,
    team=numbers,
    agents=some(numbers),
    components=st.dictionaries(texts, some(numbers), max_size=2),
    team_components=st.dictionaries(texts, numbers, max_size=2),
)
decisions = st.builds(
    DecisionRecord,
    rounds=some(rounds),
    closed_by=st.none() | st.sampled_from(get_args(ClosedBy)),
    rewards=st.none() | rewards,
)
transcripts = st.builds(
    Transcript,
    question=st.builds(Question, id=texts, text=texts, gold=texts, kind=texts),
    env_seed=counts,
    episode=counts,
    prompts=texts,
    commitment_rule=texts,
    strategies=some(strategies),
    strategies_shortened=some(shortened),
    decisions=some(decisions),
    failed=optional_text,
    usage=usages,
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(transcripts)
def test_json_and_back_is_the_same_transcript(transcript: Transcript) -> None:
    written = json.dumps(transcript.to_json(), allow_nan=False)
    assert Transcript.from_json(json.loads(written)) == transcript


def commitment(method: ParseMethod, *, novel: bool = False, **changes: Any) -> CommitmentRecord:
    fields: dict[str, Any] = {
        "agent": "coordinator",
        "role": "commit",
        "model": "m",
        "members": ("executor_0",),
        "value": "7",
        "reason": "",
        "confidence": 0.5,
        "checklist": {"agree": True},
        "parse_method": method,
        "novel": novel,
        "text": "",
        "called": method != "consensus",
        "seed": 1,
        "finish_reason": "stop",
        "error": None,
        "usage": Usage(),
    }
    return CommitmentRecord(**(fields | changes))


def transcript_with(*records: CommitmentRecord) -> Transcript:
    played = RoundRecord(executors=(), commitments=records)
    return Transcript(
        question=Question(id="q", text="2 + 5?", gold="7"),
        env_seed=0,
        episode=0,
        prompts="compact",
        commitment_rule="guarded",
        strategies=(),
        strategies_shortened=(),
        decisions=(DecisionRecord(rounds=(played,), closed_by=None, rewards=None),),
        failed=None,
        usage=Usage(),
    )


def test_the_json_rate_leaves_out_commitments_nobody_was_asked_for() -> None:
    played = transcript_with(
        commitment("json"),
        commitment("boxed", novel=True),
        commitment("consensus"),
        commitment("none", error="timeout", finish_reason="error"),
    )
    assert played.parse_methods == {"json": 1, "boxed": 1, "consensus": 1}
    assert played.json_rate == 0.5
    assert played.novel_values == 1


def test_without_calls_there_is_no_json_rate() -> None:
    assert transcript_with(commitment("consensus")).json_rate is None


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("question", "text"), 7, r"transcript\.question\.text must be str"),
        (("episode",), True, r"transcript\.episode must be int"),
        (("decisions",), {}, r"transcript\.decisions must be a list"),
        (("surprise",), 1, "unknown keys: surprise"),
        (
            ("decisions", 0, "rounds", 0, "commitments", 0, "parse_method"),
            "magic",
            r"rounds\[0\]\.commitments\[0\]\.parse_method must be one of",
        ),
        (
            ("decisions", 0, "rounds", 0, "commitments", 0, "confidence"),
            math.nan,
            "confidence must be finite",
        ),
        (
            ("decisions", 0, "rounds", 0, "commitments", 0, "checklist", "agree"),
            "yes",
            r"checklist\['agree'\] must be bool",
        ),
    ],
)
def test_a_wrong_entry_is_refused_with_its_place(
    path: tuple[Any, ...], value: object, message: str
) -> None:
    data = copy.deepcopy(transcript_with(commitment("json")).to_json())
    place: Any = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(ValueError, match=message):
        Transcript.from_json(data)


def test_a_missing_key_is_named() -> None:
    data = transcript_with(commitment("json")).to_json()
    del data["usage"]
    with pytest.raises(ValueError, match="transcript lacks: usage"):
        Transcript.from_json(data)


def test_something_else_than_an_object_is_refused() -> None:
    with pytest.raises(ValueError, match="must be an object"):
        Transcript.from_json([1, 2])


def test_a_number_without_a_json_form_is_refused_when_written() -> None:
    with pytest.raises(ValueError, match="nan"):
        transcript_with(commitment("json", confidence=math.nan)).to_json()
