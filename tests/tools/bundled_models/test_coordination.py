"""The coordinator learns from plans and from what teams of three models say."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from econ_env.questions.arithmetic import ArithmeticQuestions
from tools.bundled_models.coordination import coordinate_stage, team_of, unanimous
from tools.bundled_models.making import export, make_model, make_tokenizer
from tools.bundled_models.recipe import COORDINATOR, RECIPES
from tools.bundled_models.sampling import Response, SampledQuestion, load_samples
from tools.bundled_models.team_sampling import TIMES_AROUND, sample_team
from tools.bundled_models.train import TrainOptions, train_coordinator

PROBLEMS = ArithmeticQuestions(split="train", seed=1)
TINY = tuple(
    replace(recipe, hidden_size=32, layers=1, heads=2, key_value_heads=2, feed_forward_size=48)
    for recipe in RECIPES
)


def sampled(index: int, answers: str) -> SampledQuestion:
    """A question with one response for every character of ``answers``."""
    responses = [
        Response(text=rf"{place} ; \boxed{{{a}}}", answer=a) for place, a in enumerate(answers)
    ]
    return SampledQuestion(problem=PROBLEMS.problem(index), plan="add", responses=tuple(responses))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with three tiny, untrained models."""
    folder = tmp_path_factory.mktemp("models")
    for recipe in TINY:
        tokenizer = make_tokenizer(recipe)
        export(make_model(recipe, tokenizer), tokenizer, folder / str(recipe.number))
    return folder


def test_responses_stand_in_the_order_of_the_executors() -> None:
    responses = sampled(0, "abcdef").responses
    for seed in range(20):
        team = team_of(random.Random(seed), responses, 5)
        places = [int(response.text[0]) for response in team]
        assert [place % 3 for place in places] == [0, 1, 2, 0, 1]
        assert len(set(places)) == 5


def test_the_stage_holds_plans_and_mostly_disputed_commitments() -> None:
    samples = [sampled(0, "111111"), sampled(1, "112112"), sampled(2, "123456")]
    stage = coordinate_stage(replace(COORDINATOR, examples=400), samples)
    examples = [stage.example(index) for index in range(400)]
    assert examples == [stage.example(index) for index in range(400)]
    prompts = [example.messages[0].content for example in examples]
    plans = [prompt for prompt in prompts if prompt.startswith("plan: ")]
    commitments = [prompt for prompt in prompts if prompt.startswith("commit: ")]
    assert len(plans) + len(commitments) == 400
    assert len(plans) / 400 == pytest.approx(COORDINATOR.strategy_share, abs=0.1)
    agreed = [prompt for prompt in commitments if samples[0].problem.text in prompt]
    assert 0 < len(agreed) < 0.2 * len(commitments)


def test_without_a_dispute_it_judges_agreement() -> None:
    samples = [sampled(0, "111111")]
    stage = coordinate_stage(COORDINATOR, samples)
    assert unanimous(samples[0].responses)
    assert any(samples[0].problem.text in stage.example(i).messages[0].content for i in range(60))


@pytest.mark.exhaustive
@pytest.mark.slow
def test_sampling_the_team_goes_on_where_it_stopped(finished, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("tools.bundled_models.team_sampling.QUESTIONS_AT_ONCE", 1)
    executors = [finished / str(recipe.number) for recipe in TINY]
    path = tmp_path / "samples.jsonl"
    sample_team(executors[0], executors, PROBLEMS, path, n_questions=2, seed=3)
    whole = path.read_text()
    path.write_text(whole.splitlines(keepends=True)[0] + '{"index": 1, "pl')
    sample_team(executors[0], executors, PROBLEMS, path, n_questions=2, seed=3)
    assert path.read_text() == whole
    samples = load_samples(path, PROBLEMS)
    assert [s.problem for s in samples] == [PROBLEMS.problem(0), PROBLEMS.problem(1)]
    assert {len(s.responses) for s in samples} == {3 * TIMES_AROUND}


@pytest.mark.exhaustive
@pytest.mark.slow
def test_the_command_makes_a_coordinator_of_finished_models(
    finished, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr("tools.bundled_models.train.RECIPES", TINY)
    recipe = replace(COORDINATOR, sampled_questions=2, examples=8)
    options = TrainOptions(model="coordinator", work_dir=tmp_path, out=finished, compile=False)
    train_coordinator(options, recipe)
    assert (finished / "coordinator" / "model.safetensors").is_file()
    with pytest.raises(SystemExit, match="another recipe"):
        train_coordinator(options, replace(recipe, examples=9))
    with pytest.raises(SystemExit, match="needs the finished models"):
        train_coordinator(replace(options, out=tmp_path / "none"), recipe)
