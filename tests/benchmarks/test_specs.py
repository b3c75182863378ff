"""Tests of the grammar of --methods: one text for every spec, and errors that help."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.comparison.debate import Debate
from benchmarks.comparison.solvers import BestOfNCommit, SelfConsistency
from benchmarks.comparison.specs import (
    BestOfNCommitSpec,
    ChainOfThoughtSpec,
    DebateSpec,
    EconFixedSpec,
    EconProfileSpec,
    EconSpec,
    EconUntrainedSpec,
    FirstRoundVoteSpec,
    GreedySpec,
    SelfConsistencySpec,
    Spec,
    SpecError,
    build_prompted,
    method_names,
    models_of,
    parse_spec,
)
from econ_env.config import EnvConfig
from econ_env.game.prompts import COMPACT

MODELS = st.none() | st.sampled_from(["bundled:1", "openai:a/b@http://127.0.0.1:8000/v1"])
TEMPERATURES = st.floats(0, 2)
COUNTS = st.integers(1, 99)
ECON: dict[str, Any] = {
    "rounds": COUNTS,
    "rule": st.sampled_from([None, "guarded", "coordinator", "checked"]),
    "group_size": st.none() | st.integers(2, 9),
}
SPECS: st.SearchStrategy[Spec] = st.one_of(
    st.builds(GreedySpec, model=MODELS),
    st.builds(ChainOfThoughtSpec, model=MODELS, temperature=TEMPERATURES),
    st.builds(
        SelfConsistencySpec,
        k=COUNTS,
        model=MODELS,
        temperature=TEMPERATURES,
        checked=st.booleans(),
    ),
    st.builds(BestOfNCommitSpec, n=COUNTS, model=MODELS, temperature=TEMPERATURES),
    st.builds(DebateSpec, agents=st.integers(2, 9), rounds=COUNTS, temperature=TEMPERATURES),
    st.builds(EconSpec, **ECON),
    st.builds(EconUntrainedSpec, **ECON),
    st.builds(
        EconFixedSpec,
        temperature=TEMPERATURES,
        repetition_penalty=st.floats(0, 3, exclude_min=True),
        **ECON,
    ),
    st.builds(
        EconProfileSpec,
        temperatures=st.lists(TEMPERATURES, min_size=1, max_size=4).map(tuple),
        repetition_penalties=st.lists(
            st.floats(0, 3, exclude_min=True), min_size=1, max_size=4
        ).map(tuple),
        **ECON,
    ),
    st.builds(EconSpec, **ECON).map(lambda spec: FirstRoundVoteSpec(of=spec.canonical)),
)


@given(SPECS)
def test_a_spec_is_what_its_canonical_text_means(spec: Spec) -> None:
    assert parse_spec(spec.canonical) == spec


@pytest.mark.parametrize("name", method_names())
def test_every_method_has_defaults_and_its_name_alone_means_them(name: str) -> None:
    assert parse_spec(name).canonical == name


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("self_consistency:k=5,temperature=0.70", "self_consistency"),
        (" debate: temperature = 1.0 , rounds = 2 ", "debate:rounds=2,temperature=1"),
        ("cot:temperature=0", "cot:temperature=0"),
        ("greedy:model=openai:m@http://h:1/v1", "greedy:model=openai:m@http://h:1/v1"),
        ("econ:rule=guarded,rounds=3", "econ:rounds=3,rule=guarded"),
        ("econ_profile:temperatures=0.70", "econ_profile"),
        (
            "econ_profile:repetition_penalties=1/1.10,temperatures=0.6/1.0/0",
            "econ_profile:temperatures=0.6/1/0,repetition_penalties=1/1.1",
        ),
        ("first_round_vote:of=econ", "first_round_vote"),
        (
            "first_round_vote:of=econ:rule=guarded,rounds=3",
            "first_round_vote:of=econ:rounds=3,rule=guarded",
        ),
    ],
)
def test_equal_settings_have_one_text(text: str, canonical: str) -> None:
    assert parse_spec(text).canonical == canonical


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("self-consistency", r"did you mean 'self_consistency'\?.*first_round_vote"),
        ("xyz", r"no method 'xyz'\. The methods: greedy, cot"),
        ("", "no method ''"),
        ("debate:round=2", r"debate has no key 'round'; did you mean 'rounds'\?.*temperature"),
        ("greedy:temperature=1", r"greedy has no key 'temperature'\. The keys: model"),
        ("cot:", "no key ''"),
        ("cot:model", "'model' lacks a value"),
        ("cot:model=", "'model' lacks a value"),
        ("debate:rounds=2,rounds=3", "'rounds' is given twice"),
        ("self_consistency:k=0", "k must be a whole number >= 1, got 0"),
        ("self_consistency:k=2.5", "k must be a whole number >= 1, got '2.5'"),
        ("best_of_n_commit:n=-1", "n must be a whole number >= 1"),
        ("debate:agents=1", "agents must be a whole number >= 2"),
        ("debate:rounds=0", "rounds must be a whole number >= 1"),
        ("cot:temperature=2.1", "temperature must be a number from 0 to 2"),
        ("econ_profile:temperatures=0.6/3", "temperatures must be numbers from 0 to 2"),
        ("econ_profile:temperatures=0.6/", "temperatures must be numbers from 0 to 2"),
        ("econ_profile:repetition_penalties=1/0", "repetition_penalties must be numbers above 0"),
        ("econ_profile:temperature=1", "has no key 'temperature'; did you mean 'temperatures'"),
        ("econ_fixed:repetition_penalty=0", "repetition_penalty must be a number above 0"),
        ("cot:repetition_penalty=inf", "repetition_penalty must be a number above 0"),
        ("cot:temperature=nan", "temperature must be a number from 0 to 2"),
        ("econ:rule=vote", "rule must be coordinator or guarded or majority or checked"),
        ("econ:group_size=1", "group_size must be a whole number >= 2"),
        ("first_round_vote:of=cot", "of must be econ, econ_fixed, econ_profile or econ_untrained"),
        ("first_round_vote:of=ecom", r"did you mean 'econ'\?"),
        ("first_round_vote:of=econ:rounds=0", "rounds must be a whole number >= 1"),
    ],
)
def test_an_error_says_what_is_wrong_and_what_there_is(text: str, says: str) -> None:
    with pytest.raises(SpecError, match=says):
        parse_spec(text)


def test_a_spec_that_is_made_by_a_program_is_checked_as_well() -> None:
    with pytest.raises(SpecError, match="k must be"):
        replace(SelfConsistencySpec(), k=0)
    with pytest.raises(SpecError, match="of must be"):
        FirstRoundVoteSpec(of="econ:rounds=1")


def team(**changes: Any) -> EnvConfig:
    return EnvConfig(**({"llm": "bundled"} | changes))


def test_samples_and_agents_are_dealt_over_the_team() -> None:
    four = ("bundled:0", "bundled:1", "bundled:2", "bundled:0")
    assert models_of(SelfConsistencySpec(k=4), team()) == four
    assert models_of(DebateSpec(agents=4), team()) == four
    assert models_of(BestOfNCommitSpec(n=4), team()) == four
    assert models_of(BestOfNCommitSpec(n=2, model="bundled:2"), team()) == ("bundled:2",) * 2


def test_other_methods_ask_the_first_executor() -> None:
    config = team(llm=["bundled:2", "bundled:1", "bundled:0"])
    assert models_of(GreedySpec(), config) == ("bundled:2",)
    assert models_of(ChainOfThoughtSpec(), config) == ("bundled:2",)


def test_a_named_model_answers_everything() -> None:
    assert models_of(SelfConsistencySpec(k=2, model="bundled:1"), team()) == ("bundled:1",) * 2
    assert models_of(GreedySpec(model="bundled:1"), team()) == ("bundled:1",)


def test_a_model_that_the_team_lacks_is_named_with_those_it_has() -> None:
    with pytest.raises(SpecError, match=r"'cot:model=bundle:1'.*mean 'bundled:1'.*bundled:0, bun"):
        models_of(ChainOfThoughtSpec(model="bundle:1"), team())


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("greedy", SelfConsistency),
        ("cot", SelfConsistency),
        ("self_consistency", SelfConsistency),
        ("best_of_n_commit", BestOfNCommit),
        ("debate", Debate),
    ],
)
def test_a_method_carries_its_text_and_loads_nothing(text: str, kind: type) -> None:
    # A server that does not exist and a key that is not set: nobody is asked for either.
    config = team(llm="vllm:m@http://127.0.0.1:9/v1")
    spec = parse_spec(text)
    assert not isinstance(spec, (EconUntrainedSpec, FirstRoundVoteSpec))
    method = build_prompted(spec, config, config.models())
    assert isinstance(method, kind)
    assert method.spec == text


def test_settings_reach_the_method() -> None:
    config = team()
    models = config.models()
    greedy = build_prompted(GreedySpec(), config, models)
    cot = build_prompted(ChainOfThoughtSpec(temperature=0.5), config, models)
    debate = build_prompted(DebateSpec(agents=2, rounds=4, temperature=1.0), config, models)
    assert isinstance(greedy, SelfConsistency)
    assert isinstance(cot, SelfConsistency)
    assert isinstance(debate, Debate)
    assert (greedy.models, greedy.sampling.temperature) == (("bundled:0",), 0.0)
    assert (cot.models, cot.sampling.temperature) == (("bundled:0",), 0.5)
    assert (debate.models, debate.sampling.temperature) == (("bundled:0", "bundled:1"), 1.0)
    assert (debate.rounds, debate.spec) == (4, "debate:agents=2,rounds=4,temperature=1")


def test_prompts_of_a_user_have_no_baselines_beside_them() -> None:
    class Own:
        name = "own"
        max_tokens = COMPACT.max_tokens
        strategy, local_strategy = COMPACT.strategy, COMPACT.local_strategy
        execute, commit, conclusion = COMPACT.execute, COMPACT.commit, COMPACT.conclusion

    config = team(prompts=Own())
    with pytest.raises(SpecError, match=r"'cot': baselines have no prompts that go with .*'own'"):
        build_prompted(ChainOfThoughtSpec(), config, config.models())
