"""Tests of the named scripts: they train, test, store episodes and report errors."""

from __future__ import annotations

import contextlib
import io
import json
import re
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.named_scripts.command import evaluate_only, train_and_test
from benchmarks.named_scripts.flags import EvaluationFlags, TrainAndTestFlags, parse
from benchmarks.named_scripts.scripts import GSM8K, MATH, P0, SVAMP, NamedScript
from benchmarks.named_scripts.settings import choose
from econ_agents.config.files import read_config
from econ_agents.training.trainer import Trainer
from econ_env.grading.answers import gold_answer
from econ_env.questions import load_questions
from tests.misbehaving_server import Ask, MisbehavingServer

pytestmark = pytest.mark.slow

SCRIPTS = (P0, MATH, SVAMP, GSM8K)
FILES = [f"run_{s.name}_test.py" for s in SCRIPTS] + [f"test_{s.name}.py" for s in SCRIPTS]
SMALL = (
    "--set belief_dim=4 network.entity_dim=4 network.hidden=4 network.heads=1 network.key_dim=2 "
    "network.ffn=4 network.blocks=1 update_interval=4 train.batch_size=4 "
    "train.updates_per_interval=1 logging.tensorboard=false logging.plots=false"
).split()
TOGETHER = "together:meta-llama/Meta-Llama-3.1-70B-Instruct-Turbo"


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give every test its own folder, cache and threads, and no key."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ECON_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("TOGETHER_API_KEY", raising=False)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


# What each script is


@pytest.mark.parametrize("name", FILES)
def test_every_script_lists_its_flags(
    name: str,
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(repository / "benchmarks" / name), run_name="__main__")
    assert end.value.code == 0
    said = capsys.readouterr().out
    assert name in said
    flags = "--test-eps --log-dir --model-dir --config --llm --dataset --data-path --seed --set"
    for flag in [*flags.split(), *(["--train-eps"] if name.startswith("run_") else [])]:
        assert f"{flag} " in said


@pytest.mark.parametrize("name", FILES)
def test_without_a_key_every_script_stops_at_once_and_says_what_to_do(
    name: str,
    repository: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", [name])
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(repository / "benchmarks" / name), run_name="__main__")
    assert end.value.code == 2
    said = capsys.readouterr()
    assert said.err.startswith(f"benchmarks/{name}: ")
    assert "TOGETHER_API_KEY" in said.err
    assert "--llm bundled" in said.err
    assert said.out == ""
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_script_runs_from_any_folder_without_a_traceback(
    repository: Path, tmp_path: Path
) -> None:
    command = [sys.executable, str(repository / "benchmarks/test_p0.py"), "--llm", "bundled"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("benchmarks/test_p0.py: models_exp1/final holds no checkpoint")
    assert "python benchmarks/run_p0_test.py --llm bundled" in done.stderr


@pytest.mark.slow
def test_pytest_takes_no_script_for_a_test(repository: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "benchmarks"], cwd=repository, capture_output=True, text=True, check=False
    )
    assert done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED, done.stdout + done.stderr


# What is played


@pytest.mark.parametrize(
    ("script", "dataset", "episodes"),
    [(P0, "gsm8k", 100), (MATH, "math", 120), (SVAMP, "svamp", 100), (GSM8K, "gsm8k", 100)],
)
def test_every_script_plays_its_own_questions(
    script: NamedScript, dataset: str, episodes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOGETHER_API_KEY", "sk-3141-5926")
    training = choose(script, TrainAndTestFlags())
    assert training.config.env_args.hf_dataset_path == dataset
    assert training.config.env_args.dataset_split == "train"
    assert training.config.train.episodes == episodes
    assert training.config.experiment_name == script.name
    assert training.config.model_dir == Path("models_exp1")
    assert (training.environment.dataset, training.environment.split) == (dataset, "test")
    assert training.environment.coordinator == TOGETHER
    assert training.notes == ()
    # A team that learned on other questions is tested on these.
    trained = read_config("svamp" if dataset != "svamp" else "math")
    testing = choose(script, EvaluationFlags(), trained=trained)
    assert testing.environment.dataset == dataset
    assert testing.config.test.episodes == 10


def test_bundled_models_play_what_they_know_unless_told_otherwise() -> None:
    chosen = choose(MATH, TrainAndTestFlags(llm=("bundled",)))
    assert chosen.environment.dataset == "arithmetic"
    assert chosen.config.env_args.dataset_split == "train"
    who, note = chosen.lines()
    assert "bundled:0, bundled:1, bundled:2. Questions: arithmetic." in who
    assert "instead of math; choose others" in note
    told = choose(MATH, TrainAndTestFlags(llm=("bundled",), dataset="svamp", data_path=Path("x")))
    assert (told.environment.dataset, told.environment.data_path) == ("svamp", "x")
    assert told.notes == ()


def test_a_configuration_brings_its_own_questions_and_models(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("executor_model: bundled\nenv_args: {hf_dataset_path: gsm_hard}\n", "utf-8")
    assert choose(P0, TrainAndTestFlags(config=str(file))).environment.dataset == "gsm_hard"
    other = choose(P0, TrainAndTestFlags(config=str(file), llm=("simulated",)))
    assert other.environment.dataset == "simulated"
    assert choose(P0, TrainAndTestFlags(config="quickstart")).environment.dataset == "arithmetic"


def test_the_rows_of_one_data_set_are_not_read_as_those_of_another() -> None:
    llm = ("vllm:m@http://127.0.0.1:1/v1",)
    trained = choose(P0, TrainAndTestFlags(llm=llm, data_path=Path("rows"))).config
    same, other = (choose(s, EvaluationFlags(), trained=trained).environment for s in (P0, SVAMP))
    assert (same.dataset, same.data_path) == ("gsm8k", "rows")
    assert (other.dataset, other.data_path) == ("svamp", None)
    named = choose(SVAMP, EvaluationFlags(data_path=Path("others")), trained=trained).environment
    assert named.data_path == "others"
    assert same.llm == other.llm == llm[0]
    assert same.coordinator is None


def test_set_wins_over_flags() -> None:
    flags = TrainAndTestFlags(
        llm=("bundled",), seed=3, train_eps=7, set=(("seed=4",), ("test.episodes=9", "n_agents=2"))
    )
    config = choose(P0, flags).config
    assert (config.seed, config.train.episodes, config.test.episodes) == (4, 7, 9)
    assert config.n_agents == 2
    other = TrainAndTestFlags(llm=("bundled",), set=(("env_args.hf_dataset_path=rows.parquet",),))
    assert choose(P0, other).environment.dataset == "rows.parquet"
    assert not any("know only" in note for note in choose(P0, other).notes)


def test_models_without_a_repetition_penalty_are_played_as_the_message_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-3141-5926")
    flags = TrainAndTestFlags(
        llm=("openai:m",), set=(("env.kwargs.second_action=frequency_penalty",),)
    )
    assert choose(P0, flags).environment.second_action == "frequency_penalty"


@pytest.mark.parametrize(
    ("dataset", "data_path", "split"),
    [("math500", None, "test"), ("math500", "rows", "test"), ("gsm8k", "rows.jsonl", "train")],
)
def test_it_is_said_where_a_team_learns_on_the_questions_of_its_test(
    dataset: str, data_path: str | None, split: str
) -> None:
    flags = TrainAndTestFlags(
        llm=("bundled",), dataset=dataset, data_path=None if data_path is None else Path(data_path)
    )
    chosen = choose(MATH, flags)
    assert chosen.config.env_args.dataset_split == split
    [note] = chosen.notes
    assert note.startswith(f"{data_path or dataset} has one split")


def test_flags_may_have_underscores_for_dashes() -> None:
    dashes, underscores = (
        parse(TrainAndTestFlags, "", "", [f"--test{mark}eps", "7", f"--model{mark}dir=x"])
        for mark in ("-", "_")
    )
    assert dashes == underscores
    assert (dashes.test_eps, dashes.model_dir) == (7, Path("x"))


# Mistakes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seed", "-1"], "seed must be a whole number >= 0, got -1"),
        (["--train-ep", "5"], "unknown flag --train-ep; did you mean '--train-eps'?"),
        (["--together-api-key=sk-3141"], "TOGETHER_API_KEY"),
        (["sk-3141"], "an argument belongs to no flag"),
        (["--test-eps", "1"], "--test-eps must be at least 2, got 1"),
        (["--train-eps", "0"], "--train-eps must be at least 1, got 0"),
        (["--llm", "bundle"], "unknown model 'bundle'"),
        (["--llm", "together:m"], "TOGETHER_API_KEY"),
        (["--llm", "openai:m"], "--set env.kwargs.second_action=frequency_penalty"),
        (["--llm", "bundled", "--set", "train.episode=3"], "did you mean 'train.episodes'?"),
        (["--llm", "bundled", "--set", "env.kwargs.promts=x"], "promts"),
        (["--config", "mpe_spread"], "train with econ-agents instead"),
    ],
)
def test_a_mistake_is_explained_in_a_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train_and_test(P0, arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("benchmarks/run_p0_test.py: ")
    assert message in said
    assert "sk-3141" not in said


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("benchmarks.named_scripts.command.choose", broken)
    with pytest.raises(RuntimeError):
        train_and_test(P0, ["--llm", "bundled"])


# Training and testing


@dataclass(frozen=True)
class Ended:
    """Exit code and output of a script."""

    code: int
    lines: list[str]


def call(script: Callable[[NamedScript, list[str]], int], name: NamedScript, *flags: str) -> Ended:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        code = script(name, [*SMALL, *flags])
    return Ended(code, out.getvalue().splitlines())


def check_outputs(ended: Ended, folder: Path, script: NamedScript) -> dict[str, Any]:
    """Return the logs of both arms; check that they agree with the output."""
    logs = {
        arm: json.loads((folder / f"logs_{script.name}_test_{arm}.json").read_text("utf-8"))
        for arm in ("baseline", "p0")
    }
    for title, log in (("Baseline (no BNE)", logs["baseline"]), ("P0 BNE (3 rounds)", logs["p0"])):
        [line] = [line for line in ended.lines if re.match(re.escape(title) + r": \d+/", line)]
        right, total = sum(one["right"] for one in log["episodes"]), len(log["episodes"])
        assert line.startswith(f"{title}: {right}/{total} = {100 * right / total:.1f}%")
        assert log["summary"]["correct"] == right
        for one in log["episodes"]:
            [decision] = one["transcript"]["decisions"]
            usage = one["transcript"]["usage"]
            assert one["question"] == one["transcript"]["question"]["id"]
            assert one["rounds"] == len(decision["rounds"]) or one["closed_by"] == "no_deviation"
            assert one["closed_by"] == decision["closed_by"]
            assert one["tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
            assert one["commitment"] == decision["rounds"][-1]["commitments"][-1]["value"]
            assert len(one["answers"]) == 3
    assert [one["question"] for one in logs["baseline"]["episodes"]] == [
        one["question"] for one in logs["p0"]["episodes"]
    ]
    traces = json.loads((folder / "llm_traces_test_bne_3rounds.json").read_text("utf-8"))
    assert [each["transcript"] for each in traces] == [
        one["transcript"] for one in logs["p0"]["episodes"]
    ]
    return logs


@pytest.mark.parametrize("name", ["p0", "math", "svamp", "gsm8k"])
def test_the_paths_of_the_specification_train_in_logs(
    name: str, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[tuple[NamedScript, list[str]]] = []
    monkeypatch.setattr(
        "benchmarks.named_scripts.command.train_and_test",
        lambda script, arguments: called.append((script, arguments)),
    )
    script = repository / "scripts" / f"run_{name}_test.py"
    monkeypatch.setattr("sys.argv", [str(script), "--train-eps", "2"])
    with pytest.raises(SystemExit):
        runpy.run_path(str(script), run_name="__main__")
    [(started, arguments)] = called
    assert started.name == name
    assert arguments == ["--log-dir", "logs", "--train-eps", "2"]


@pytest.mark.exhaustive
def test_bundled_models_train_and_test_and_are_tested_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # One batch of cool, short texts: what counts is that everything happens.
    cool = "update_interval=6 sampling.temperature_max=0.5 sampling.p_min=1 sampling.p_max=1.05"
    short = ["--train-eps", "6", "--test-eps", "6", "--llm", "bundled", "--set", *cool.split()]
    first = call(train_and_test, P0, *short)
    assert first.code == 0
    assert "instead of gsm8k" in first.lines[1]
    assert any(re.fullmatch(r"P0 Metadata: JSON=\d+%", line) for line in first.lines)
    logs = check_outputs(first, tmp_path / "logs_exp1", P0)
    assert {one["rounds"] for one in logs["baseline"]["episodes"]} == {1}
    assert logs["p0"]["environment"]["bne_rounds"] == 3
    assert (tmp_path / "models_exp1" / "final").is_dir()
    # The script that only tests finds it, plays the same models, and writes beside the user.
    again = call(evaluate_only, P0, "--test-eps", "6")
    assert again.code == 0
    assert check_outputs(again, tmp_path, P0) == logs
    # The same command trains nothing anew; another one does not touch the run.
    assert (
        "models_exp1/final is already trained: only the test is left."
        in call(train_and_test, P0, *short[:3], "2", *short[4:]).lines
    )
    capsys.readouterr()
    assert call(train_and_test, P0, *short, "--seed", "1").code == 2
    assert "logs_exp1 holds another run: seed was 0 and is 1" in capsys.readouterr().err
    assert call(train_and_test, P0, *short, "--log-dir", "other").code == 2
    assert "models_exp1 holds the checkpoints of another run" in capsys.readouterr().err


def test_an_interrupted_training_goes_on_with_the_same_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--train-eps", "12", "--test-eps", "2", "--llm", "simulated"]
    collect = Trainer.collect

    def interrupted(self: Trainer) -> Any:
        if self.episodes == 8:
            raise KeyboardInterrupt
        return collect(self)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "collect", interrupted)
        assert call(train_and_test, SVAMP, *flags).code == 130
    said = capsys.readouterr().err
    assert "saved after 8 episodes" in said
    assert "Repeat the command to continue" in said
    assert call(evaluate_only, SVAMP, "--llm", "simulated").code == 2
    said = capsys.readouterr().err
    assert "has not ended: repeat its command" in said
    assert "--model-dir models_exp1/episode_000008" in said
    ended = call(train_and_test, SVAMP, *flags)
    assert ended.code == 0
    assert "Continuing the training in logs_exp1" in ended.lines
    check_outputs(ended, tmp_path / "logs_exp1", SVAMP)


def test_an_interrupted_test_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("benchmarks.named_scripts.command.choose", interrupted)
    assert evaluate_only(P0, ["--llm", "bundled"]) == 130
    assert "test_p0.py: interrupted" in capsys.readouterr().err


# Models on servers


def knowing(dataset: str, data_path: Path) -> Callable[[Ask], str]:
    """A model that knows all answers of a data set, and boxes them."""
    gold: dict[str, str] = {}
    for split in ("train", "test"):
        with contextlib.suppress(Exception):  # not every data set has both
            source = load_questions(dataset, split=split, data_path=data_path)
            for index in range(len(source)):
                question = source[index]
                gold[question.text] = gold_answer(question.gold)

    def answer(ask: Ask) -> str:
        said = "\n".join(message["content"] for message in ask.messages)
        value = next(gold[text] for text in gold if text in said)
        if '"confidence"' in said:
            return json.dumps({"reason": "as learned", "value": value, "confidence": 1})
        return f"Looking it up.\n\\boxed{{{value}}}"

    return answer


def play_by_heart(
    script: NamedScript, dataset: str, data_path: Path, folder: Path
) -> dict[str, Any]:
    """Train and test with a served model that knows all answers: it is always right."""
    with MisbehavingServer("vllm", answer=knowing(dataset, data_path)) as server:
        ended = call(
            train_and_test,
            script,
            *("--llm", f"vllm:m@{server.url}", "--dataset", dataset),
            *("--data-path", str(data_path), "--embedder", "hashing"),
            *("--train-eps", "4", "--test-eps", "3"),
        )
    assert ended.code == 0
    for title in ("Baseline (no BNE)", "P0 BNE (3 rounds)"):
        assert any(line.startswith(f"{title}: 3/3 = 100.0%") for line in ended.lines)
    assert "P0 Metadata: JSON=100%" in ended.lines
    return check_outputs(ended, folder / "logs_exp1", script)


def test_a_served_model_plays_rows_of_a_folder(tmp_path: Path) -> None:
    rows = tmp_path / "rows"
    rows.mkdir()
    for split, first in (("train", 10), ("test", 50)):
        lines = [
            json.dumps(
                {
                    "Body": f"There are {n} birds and {n} cats",
                    "Question": "How many animals are there?",
                    "Answer": str(2 * n),
                    "Type": "Addition",
                }
            )
            for n in range(first, first + 8)
        ]
        (rows / f"{split}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    logs = play_by_heart(SVAMP, "svamp", rows, tmp_path)
    assert all("test.jsonl" in one["question"] for one in logs["p0"]["episodes"])


@pytest.mark.parametrize(
    ("script", "dataset"), [(GSM8K, "gsm8k"), (SVAMP, "svamp"), (MATH, "math500")]
)
def test_a_served_model_plays_real_rows(
    script: NamedScript, dataset: str, data_dir: Path, tmp_path: Path
) -> None:
    play_by_heart(script, dataset, data_dir / dataset, tmp_path)
