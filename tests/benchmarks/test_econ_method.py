"""Tests of ECON as a compared method: complete records, whatever is played beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.comparison.econ import Econ, SteeredTeam, first_round_votes, steering_of
from benchmarks.comparison.econ_policy import Fixed, Steering, Trained, Untrained
from benchmarks.comparison.records import Item, Record
from benchmarks.comparison.specs import (
    EconProfileSpec,
    EconSpec,
    EconUntrainedSpec,
    FirstRoundVoteSpec,
)
from econ_agents.algorithm.builders import build_networks
from econ_agents.config.files import config_mapping
from econ_agents.environments import make_teams
from econ_agents.training.checkpoint import CheckpointError, save_checkpoint
from econ_env.config import EnvConfig
from econ_env.envs.parallel import EconParallelEnv
from econ_env.game.transcript import Transcript
from econ_env.grading.verdict import Verdict
from econ_env.llm import BudgetExceeded, ChatRequest
from econ_env.llm.budget.prices import Price
from econ_env.llm.models import Models
from econ_env.llm.types import Usage
from econ_env.questions import load_questions
from tests.econ_agents.builders import shaken
from tests.econ_agents.small_runs import small_config
from tests.support import FlakyModel

SIMULATED = EnvConfig(dataset="simulated", llm="simulated")
PRICES = {
    **{f"simulated:{number}": Price(prompt_usd_per_million=1, completion_usd_per_million=2)
       for number in range(3)},
    "simulated:coordinator": Price(prompt_usd_per_million=10, completion_usd_per_million=20),
}  # fmt: skip
REFINED = EconSpec(rounds=3)


@cache
def items(count: int = 7, run_seed: int = 0) -> tuple[Item, ...]:
    source = load_questions("simulated")
    return tuple([Item(question=source[index], run_seed=run_seed) for index in range(count)])


def checkpoint(folder: Path, *assignments: str, n_agents: int = 3) -> Path:
    """Make a team that acts differently on every question, as a trained one may."""
    config = small_config(*assignments)
    teams = make_teams(
        "econ_env:batched_parallel_env",
        {"dataset": "simulated", "llm": "simulated", "n_agents": n_agents},
        1,
    )
    networks = shaken(build_networks(config, teams.space), seed=1, scale=0.3)
    arrays = {"networks": networks.state_dict()}
    return save_checkpoint(folder, "final", arrays, {"config": config_mapping(config)})


def econ(
    spec: EconUntrainedSpec,
    steering: Steering,
    config: EnvConfig = SIMULATED,
    *,
    models: Models | None = None,
    in_flight: int = 7,
) -> Econ:
    models = config.models() if models is None else models
    return Econ(spec, config, steering, models=models, prices=PRICES, in_flight=in_flight)


def untimed(records: Sequence[Record]) -> list[Record]:
    return [replace(record, wall_s=0.0) for record in records]


def transcripts(steering: Steering, **changes: Any) -> list[Transcript]:
    config = replace(SIMULATED, **changes)
    team = SteeredTeam(config, steering, models=config.models(), in_flight=7)
    return [played.transcript for played in team.play(items())]


def test_records_do_not_depend_on_what_is_played_before_or_beside(tmp_path: Path) -> None:
    steering = Trained(checkpoint=checkpoint(tmp_path))
    at_once = untimed(list(econ(REFINED, steering).answer(items())))
    backwards = econ(REFINED, steering, in_flight=2).answer(items()[::-1])
    assert untimed(list(backwards))[::-1] == at_once
    assert len({len(record.rounds) for record in at_once}) > 1
    temperatures = {
        transcript.decisions[0].rounds[0].executors[0].temperature
        for transcript in transcripts(steering)
    }
    assert len(temperatures) == len(items())


def test_a_policy_with_a_memory_of_its_stream_begins_every_question_anew(tmp_path: Path) -> None:
    steering = Trained(checkpoint=checkpoint(tmp_path, "memory.scope=stream"))
    one_by_one = econ(EconSpec(), steering, in_flight=1)
    at_once = econ(EconSpec(), steering)
    assert untimed(list(one_by_one.answer(items()))) == untimed(list(at_once.answer(items())))


def test_another_seed_of_the_run_is_another_play(tmp_path: Path) -> None:
    team = econ(EconUntrainedSpec(), Untrained())
    ours, theirs = list(team.answer(items())), list(team.answer(items(run_seed=1)))
    assert [record.seed for record in theirs] == [1] * 7
    assert [record.rounds for record in ours] != [record.rounds for record in theirs]


def test_no_items_are_no_records() -> None:
    assert list(econ(EconUntrainedSpec(), Untrained()).answer([])) == []


def test_the_untrained_team_needs_no_checkpoint_and_plays_the_middle_of_the_box() -> None:
    steering = steering_of(EconUntrainedSpec(), None)
    sampled = [
        (executor.temperature, executor.repetition_penalty)
        for transcript in transcripts(steering)
        for played in transcript.rounds()
        for executor in played.executors
    ]
    assert np.abs(np.array(sampled) - (1.0, 1.15)).max() < 0.02


def test_a_profile_gives_each_executor_its_own_action_dealt_out_in_turn() -> None:
    spec = EconProfileSpec(temperatures=(0.0, 0.6), repetition_penalties=(1.2,))
    for transcript in transcripts(steering_of(spec, None)):
        for played in transcript.rounds():
            assert [round(each.temperature, 5) for each in played.executors] == [0, 0.6, 0]
            assert [round(each.repetition_penalty, 5) for each in played.executors] == [1.2] * 3


def test_an_action_of_a_profile_outside_the_box_is_refused() -> None:
    spec = EconProfileSpec(temperatures=(0.6,), repetition_penalties=(1.0, 1.0, 1.9))
    with pytest.raises(ValueError, match=r"repetition_penalty 1\.9 are outside"):
        transcripts(steering_of(spec, None))


def test_a_profile_with_more_values_than_executors_is_refused() -> None:
    with pytest.raises(ValueError, match="4 temperatures or penalties are more than the 3"):
        transcripts(steering_of(EconProfileSpec(temperatures=(0.0, 0.2, 0.4, 0.9)), None))


def test_a_trained_team_needs_a_checkpoint() -> None:
    with pytest.raises(ValueError, match=r"'econ:rounds=3' plays a trained team.*--model-dir"):
        steering_of(REFINED, None)


def test_what_is_played_follows_the_comparison_and_the_spec_not_the_checkpoint(
    tmp_path: Path,
) -> None:
    path = checkpoint(tmp_path, "bne.max_iterations_infer=2", "env.kwargs.n_agents=3")
    spec = EconSpec(rounds=3, rule="coordinator", group_size=2)
    config = replace(SIMULATED, commitment_rule="guarded", n_agents=3)
    records = list(econ(spec, Trained(checkpoint=path), config).answer(items()))
    assert {record.method for record in records} == {"econ:rounds=3,rule=coordinator,group_size=2"}
    assert max(len(record.rounds) for record in records) == 3
    # Two groups and the team: three strategies, then three responses and three commitments each.
    expected = {3 + 6 * len(record.rounds) for record in records}
    assert {record.usage.requests for record in records} == expected


@pytest.mark.parametrize("n_agents", [2, 5])
def test_a_checkpoint_of_another_team_is_refused_before_anything_is_asked(
    tmp_path: Path, n_agents: int
) -> None:
    config = replace(SIMULATED, n_agents=n_agents)
    models = config.models()
    with pytest.raises(
        CheckpointError, match=rf"does not fit the compared team of {n_agents} exec"
    ):
        econ(EconSpec(), Trained(checkpoint=checkpoint(tmp_path)), config, models=models)
    assert models.usage.requests == 0


def test_shared_parameters_play_teams_of_other_sizes(tmp_path: Path) -> None:
    steering = Trained(checkpoint=checkpoint(tmp_path, "network.share_parameters=true"))
    records = list(econ(EconSpec(), steering, replace(SIMULATED, n_agents=5)).answer(items(2)))
    assert [len(record.rounds[0].answers) for record in records] == [5, 5]


def test_a_checkpoint_that_chose_from_other_bounds_is_refused(tmp_path: Path) -> None:
    steering = Trained(checkpoint=checkpoint(tmp_path, "sampling.temperature_max=1.0"))
    with pytest.raises(CheckpointError, match=r"learned to choose T in \[0, 1\].*\[0, 2\]"):
        econ(EconSpec(), steering)
    assert econ(EconSpec(), steering, replace(SIMULATED, temperature_max=1.0)).spec == "econ"


def test_a_question_is_played_as_the_environment_itself_plays_it() -> None:
    (transcript, *_) = transcripts(Fixed(action=(-0.5, 0.25)), bne_rounds=2)
    item = items()[0]
    env = EconParallelEnv(dataset="simulated", llm="simulated", bne_rounds=2)
    env.reset(seed=item.seed, options={"question": item.question})
    while env.agents:
        env.step({agent: np.array([-0.5, 0.25]) for agent in env.agents})
    assert env.transcript == transcript


def test_records_account_for_every_request(tmp_path: Path) -> None:
    steering = Trained(checkpoint=checkpoint(tmp_path))
    records = list(econ(REFINED, steering).answer(items()))
    played = transcripts(steering, bne_rounds=3)
    assert [record.usage for record in records] == [one.usage for one in played]
    for record, transcript in zip(records, played, strict=True):
        assert sum([one.usage for one in record.rounds], Usage()) == record.usage
        assert record.closed_by == transcript.decisions[-1].closed_by
        assert record.rounds[-1].value == list(transcript.rounds())[-1].commitments[-1].value
        assert record.longest_prompt_tokens == longest_prompt(transcript)
        assert record == Record.from_json(record.to_json(), "record")


def longest_prompt(transcript: Transcript) -> int:
    lengths = [call.usage.prompt_tokens for call in transcript.strategies]
    for played in transcript.rounds():
        lengths += [call.usage.prompt_tokens for call in played.executors]
        lengths += [call.usage.prompt_tokens for call in played.commitments]
    return max(lengths)


def test_cost_is_by_model_and_unknown_where_one_has_no_price() -> None:
    (record,) = econ(EconUntrainedSpec(), Untrained()).answer(items(1))
    answering = record.rounds[0].answering
    assert answering is not None
    assert answering.cost_usd is not None
    strategy = transcripts(Untrained())[0].strategies[0].usage
    coordinator = PRICES["simulated:coordinator"].cost_usd
    executors = PRICES["simulated:0"].cost_usd
    planned, concluded = coordinator(strategy), minus(record.usage, answering.usage)
    assert answering.cost_usd == pytest.approx(
        planned + executors(minus(answering.usage, strategy))
    )
    assert record.cost_usd == pytest.approx(answering.cost_usd + coordinator(concluded))
    free = Econ(
        EconUntrainedSpec(),
        SIMULATED,
        Untrained(),
        models=SIMULATED.models(),
        prices={"simulated:0": PRICES["simulated:0"]},
        in_flight=1,
    )
    assert next(free.answer(items(1))).cost_usd is None


def minus(one: Usage, other: Usage) -> Usage:
    return Usage(
        prompt_tokens=one.prompt_tokens - other.prompt_tokens,
        completion_tokens=one.completion_tokens - other.completion_tokens,
    )


@pytest.mark.parametrize("role", ["strategy", "execute", "commit"])
def test_a_failed_request_is_a_failed_record_and_harms_no_other(role: str) -> None:
    doomed = items()[1].question.text

    def fails(request: ChatRequest) -> bool:
        return request.role == role and any(doomed in m.content for m in request.messages)

    records = list(econ(EconUntrainedSpec(), Untrained(), flaky(fails)).answer(items(3)))
    assert [record.failed is None for record in records] == [True, False, True]
    failed = records[1]
    assert "the test said so" in str(failed.failed)
    assert (failed.verdict, failed.rounds, failed.closed_by) == ("", (), "")
    # A failed request took nothing here; what was asked before it, did.
    assert (failed.usage.requests > 0) == (role != "strategy")
    whole = econ(EconUntrainedSpec(), Untrained(), flaky(lambda request: False))
    unharmed = untimed(list(whole.answer(items(3))))
    assert [untimed(records)[index] for index in (0, 2)] == [unharmed[0], unharmed[2]]


def flaky(fails: Callable[[ChatRequest], bool]) -> EnvConfig:
    return replace(SIMULATED, llm=FlakyModel(fails), prompts="compact", embedder="hashing")


def test_all_methods_of_a_run_share_one_budget() -> None:
    config = replace(SIMULATED, max_requests=12)
    models = config.models()
    first, second = (
        econ(EconUntrainedSpec(), Untrained(), config, models=models, in_flight=1) for _ in range(2)
    )
    spent = sum(record.usage.requests for record in first.answer(items(2)))
    assert models.spending.requests == spent
    with pytest.raises(BudgetExceeded, match="max_requests"):
        list(second.answer(items()))
    assert spent < models.spending.requests <= 12


def test_the_first_round_vote_is_free_and_leaves_out_conclusions(tmp_path: Path) -> None:
    steering = Trained(checkpoint=checkpoint(tmp_path))
    records = list(econ(REFINED, steering).answer(items()))
    others = [replace(records[0], method="cot")]
    votes = first_round_votes([*others, *records], FirstRoundVoteSpec(of=REFINED.canonical))
    assert {vote.method for vote in votes} == {"first_round_vote:of=econ:rounds=3"}
    for vote, record, transcript in zip(
        votes, records, transcripts(steering, bne_rounds=3), strict=True
    ):
        first = record.rounds[0]
        (only,) = vote.rounds
        assert only.answers == first.answers
        assert vote.correct == only.value_right == first.vote_right
        spent = [plan.usage for plan in transcript.strategies]
        spent += [said.usage for said in transcript.decisions[0].rounds[0].executors]
        assert vote.usage == only.usage == sum(spent, Usage())
        assert vote.longest_prompt_tokens == max(usage.prompt_tokens for usage in spent)
        assert vote.cost_usd is not None
        assert record.cost_usd is not None
        assert 0 < vote.cost_usd < record.cost_usd


def test_without_any_answer_there_is_no_vote_and_a_failed_episode_stays_one() -> None:
    records = list(econ(EconUntrainedSpec(), Untrained()).answer(items(2)))
    silent = replace(records[0].rounds[0], answers=(None,) * 3, vote_right=False)
    failed = replace(records[1], failed="no connection", rounds=(), verdict="")
    spec = FirstRoundVoteSpec(of="econ_untrained")
    votes = first_round_votes([replace(records[0], rounds=(silent,)), failed], spec)
    assert votes[0].verdict == Verdict.UNPARSEABLE.value
    assert votes[0].rounds[0].value is None
    assert votes[1] == replace(failed, method=spec.canonical)
