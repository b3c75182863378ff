"""Tests of the command compare.py: its output, files, errors and continuation."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.comparison import command, output
from benchmarks.comparison import run as running
from benchmarks.comparison.building import Workshop
from benchmarks.comparison.command import main, notes
from benchmarks.comparison.econ_policy import Untrained
from benchmarks.comparison.flag_file import read_flags
from benchmarks.comparison.picture import draw
from benchmarks.comparison.records import Record
from benchmarks.comparison.specs import parse_spec
from benchmarks.comparison.workers import Job, Worker
from econ_agents.config.files import read_config
from econ_agents.rollouts.errors import UsersError, WorkerError
from econ_agents.rollouts.placement import Placement
from econ_agents.rollouts.task import Task
from econ_agents.training.run_folder import claimed
from econ_env.config import EnvConfig
from econ_env.llm.cache.recording_model import CacheMode
from tests.misbehaving_server import Ask, MisbehavingServer

SIMULATED = ["--dataset", "simulated", "--llm", "simulated", "--questions", "6", "--in-flight", "2"]


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    # They take longer than everything else here.
    monkeypatch.setattr(output, "draw", lambda comparison, folder: [])


def compare(folder: Path, *flags: str) -> int:
    return main([*SIMULATED, "--log-dir", str(folder), *flags])


def records(folder: Path) -> list[Record]:
    lines = (folder / "records.jsonl").read_text().splitlines()
    return [Record.from_json(json.loads(line), "a line") for line in lines]


def comparison(folder: Path) -> Any:
    """Return the results of a comparison, except times."""

    def timeless(data: Any) -> Any:
        if isinstance(data, dict):
            return {key: timeless(value) for key, value in data.items() if key != "wall_s"}
        return [timeless(item) for item in data] if isinstance(data, list) else data

    return timeless(json.loads((folder / "comparison.json").read_text()))


# What comes of it


def test_methods_answer_the_same_questions_and_come_out_as_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(output, "draw", draw)
    methods = ["cot", "econ_untrained", "first_round_vote:of=econ_untrained"]
    assert compare(tmp_path, "--methods", *methods, "--seeds", "0", "1") == 0
    out = capsys.readouterr().out
    assert "6 questions of simulated, seeds 0, 1, model simulated" in out
    found = comparison(tmp_path)
    assert [method["method"] for method in found["methods"]] == methods
    assert {method["outcomes"]["finished"] for method in found["methods"]} == {12}
    kept = records(tmp_path)
    asked = {method: {r.question for r in kept if r.method == method} for method in methods}
    assert len(asked["cot"]) == 6
    assert asked["cot"] == asked["econ_untrained"]
    # A vote on responses is no result of its own: it is made of those of ECON.
    assert asked[methods[2]] == set()
    written = [line.removeprefix("written: ") for line in out.splitlines() if "written" in line]
    assert {Path(path).suffix for path in written} == {".json", ".md", ".png", ".svg"}
    assert all(Path(path).stat().st_size for path in written)


def test_questions_that_were_looked_at_can_be_left_out(tmp_path: Path) -> None:
    asked = {}
    for name, flags in {"all": (), "rest": ("--skip-questions", "4", "--questions", "2")}.items():
        assert compare(tmp_path / name, "--methods", "cot", *flags) == 0
        asked[name] = [record.question for record in records(tmp_path / name)]
    assert sorted(asked["rest"]) == sorted(asked["all"][4:])


def test_seeds_and_methods_can_be_added(tmp_path: Path) -> None:
    assert compare(tmp_path, "--methods", "cot") == 0
    before = records(tmp_path)
    assert compare(tmp_path, "--methods", "cot", "greedy", "--seeds", "0", "3") == 0
    after = records(tmp_path)
    assert after[:6] == before
    assert len(after) == 24
    # Fewer again: the others stay in the file, and out of the table.
    assert compare(tmp_path, "--methods", "greedy") == 0
    assert records(tmp_path) == after
    assert [method["method"] for method in comparison(tmp_path)["methods"]] == ["greedy"]


def test_budget_matched_methods_are_marked_and_their_ratio_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--methods", "self_consistency", "econ_untrained", "--budget-match", "econ_untrained"]
    assert compare(tmp_path, *flags) == 0
    assert "self_consistency is played with k=" in capsys.readouterr().out
    found = comparison(tmp_path)
    [samples, econ] = found["methods"]
    assert found["about"]["budget_matched"] == [samples["method"]]
    assert found["about"]["budget_target"] == econ["method"] == "econ_untrained"
    assert samples["spending"]["tokens_to_target"] == pytest.approx(1, abs=0.1)
    # Asked again, nothing is: not the pilot either.
    before = (tmp_path / "records.jsonl").read_bytes()
    assert compare(tmp_path, *flags) == 0
    assert (tmp_path / "records.jsonl").read_bytes() == before


def test_a_file_of_flags_is_read_and_flags_win(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "comparison.yaml"
    file.write_text(
        "methods: [cot, greedy]\nseeds: [4, 5]\nquestions: 9\nmax_requests: null\n"
        "top_p: 0.5\nprices: {simulated:0: [1, 2.5]}\npaper: math\n"
        "extra_body: {reasoning: {enabled: false}}\nextra_headers: {X-Tenant: a-secret-value}\n"
        "omit_fields: seed\n"
    )
    assert compare(tmp_path / "out", "--config", str(file), "--seeds", "7") == 0
    found = comparison(tmp_path / "out")
    assert found["about"]["methods"] == ["cot", "greedy"]
    assert found["about"]["seeds"] == [7]
    assert found["about"]["questions"] == 6
    settings = json.loads((tmp_path / "out" / "comparison_settings.json").read_text())["depends_on"]
    assert settings["top_p"] == 0.5
    assert settings["prices"] == {"simulated:0": [1, 2.5]}
    assert settings["extra_body"] == {"reasoning": {"enabled": False}}
    assert settings["omit_fields"] == ["seed"]
    for written in (tmp_path / "out").iterdir():
        assert "a-secret-value" not in written.read_text()
    assert "Beside the paper: MATH" in capsys.readouterr().out


# Stopped


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_killed_comparison_goes_on_to_the_same_table(repository: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.benchmarks.killed_comparison", str(tmp_path)]
    ended = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == ["whole: 0", "killed: -9", "went on: 0"]
    assert comparison(tmp_path / "killed") == comparison(tmp_path / "whole")
    assert {r.key for r in records(tmp_path / "killed")} == {
        r.key for r in records(tmp_path / "whole")
    }


@pytest.fixture
def stopping(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """Record store that raises Ctrl-C as soon as ``after`` records were added."""
    settings = {"after": 0}

    class Interrupting:
        def __init__(self, records: Any) -> None:
            self._records = records

        def add(self, new: list[Record]) -> None:
            self._records.add(new)
            if len(self._records.all()) >= settings["after"]:
                raise KeyboardInterrupt

        def __getattr__(self, name: str) -> Any:
            return getattr(self._records, name)

    begin = running.Run.__init__

    def interrupted(
        self: running.Run, plan: Any, build: Any, records: Any, *rest: Any, **named: Any
    ) -> None:
        kept = Interrupting(records) if settings["after"] else records
        begin(self, plan, build, kept, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(running.Run, "__init__", interrupted)
    yield settings
    settings["after"] = 0


def test_ctrl_c_says_that_the_same_command_goes_on_and_it_does(
    tmp_path: Path, stopping: dict[str, int], capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--methods", "cot", "econ_untrained:rounds=2"]
    assert compare(tmp_path / "whole", *flags) == 0
    capsys.readouterr()
    stopping["after"] = 4
    assert compare(tmp_path / "stopped", *flags) == 130
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "interrupted" in captured.err
    assert "Repeat the command to continue" in captured.err
    stopping["after"] = 0
    assert compare(tmp_path / "stopped", *flags) == 0
    assert comparison(tmp_path / "stopped") == comparison(tmp_path / "whole")


def test_a_spent_budget_reports_what_there_is_and_more_of_it_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--methods", "cot", "econ_untrained"]
    # 6 for cot, and 10 for two questions of ECON: one budget for all methods.
    assert compare(tmp_path, *flags, "--max-requests", "18") == 1
    captured = capsys.readouterr()
    assert "asked now: 18 requests" in captured.out
    assert "--max-requests 18 does not allow" in captured.err
    assert "Traceback" not in captured.err
    [cot, econ] = comparison(tmp_path)["methods"]
    assert (cot["outcomes"]["finished"], econ["outcomes"]["finished"]) == (6, 2)
    assert econ["outcomes"]["missing"] == 4
    assert compare(tmp_path, *flags) == 0
    assert {m["outcomes"]["missing"] for m in comparison(tmp_path)["methods"]} == {0}


def test_two_processes_do_not_share_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with claimed(tmp_path):
        assert compare(tmp_path, "--methods", "cot") == 2
    assert "another process works on" in capsys.readouterr().err
    assert not (tmp_path / "records.jsonl").exists()


def test_other_settings_are_not_mixed_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(tmp_path, "--methods", "cot") == 0
    assert compare(tmp_path, "--methods", "cot", "--questions", "7") == 2
    err = capsys.readouterr().err
    assert "questions: 6 there, 7 now" in err
    assert "--log-dir" in err


# Servers


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "sums.jsonl"
    path.write_text(
        "".join(f'{{"question": "What is {i} + {i}?", "answer": "{2 * i}"}}\n' for i in range(1, 7))
    )
    return path


def add(ask: Ask) -> str:
    """Right answer of a question."""
    text = "".join(str(message["content"]) for message in ask.messages)
    number = int(text.rpartition("What is ")[2].partition(" ")[0])
    return f"It is \\boxed{{{2 * number}}}"


def on_server(server: MisbehavingServer, rows: Path) -> list[str]:
    return [
        *("--dataset", str(rows), "--llm", f"vllm:m@{server.url}", "--questions", "6"),
        *("--log-dir", str(rows.parent / "out"), "--methods", "cot", "self_consistency:k=2"),
    ]


def test_what_a_server_loses_is_never_scored_and_asked_again(
    rows: Path,
) -> None:
    with MisbehavingServer("vllm", answer=add) as server:
        flags = on_server(server, rows)
        # Refused for good, three times: the other questions are answered.
        server.schedule("content_filter", "content_filter", "content_filter")
        assert main(flags) == 0
        kept = records(rows.parent / "out")
    [cot, samples] = comparison(rows.parent / "out")["methods"]
    lines = Counter(record.failed is None for record in kept)
    assert lines == {True: 12, False: 3}
    for method in (cot, samples):
        assert (method["outcomes"]["correct"], method["outcomes"]["failed"]) == (6, 0)


def test_what_stays_lost_is_counted_and_left_out_of_differences(
    rows: Path,
) -> None:
    with MisbehavingServer("vllm", answer=add) as server:
        flags = on_server(server, rows)
        server.mix({"content_filter": 0.7}, seed=1)
        assert main(flags) == 0
        found = comparison(rows.parent / "out")
        lost = [method["outcomes"]["failed"] for method in found["methods"]]
        assert sum(lost) > 0
        for method in found["methods"]:
            # All that was answered is right: nothing lost was taken for wrong.
            assert method["outcomes"]["correct"] == method["outcomes"]["finished"]
            assert method["outcomes"]["finished"] + method["outcomes"]["failed"] == 6
            for difference in method["differences"]:
                assert difference["pairs"] >= 6 - sum(lost)
                assert difference["pairs"] < 6
        server.mix({})
        asked = len(server.chats)
        assert main(flags) == 0
        # Only what failed is asked again.
        assert len(server.chats) - asked == sum(lost)
    outcomes = [method["outcomes"] for method in comparison(rows.parent / "out")["methods"]]
    assert [(each["failed"], each["correct"]) for each in outcomes] == [(0, 6), (0, 6)]


def test_a_dry_run_sends_nothing_and_leaves_nothing(
    rows: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    methods = ["cot", "self_consistency:k=4", "debate", "econ:rounds=3"]
    with MisbehavingServer("vllm") as server:
        flags = [*on_server(server, rows), "--dry-run", "--seeds", "0", "1", "--methods", *methods]
        assert main(flags) == 0
        unpriced = capsys.readouterr().out
        assert main([*flags, "--price", f"vllm:m@{server.url}=1,2"]) == 0
        assert server.seen == []
    lines = {line.split()[0]: line.split() for line in unpriced.splitlines() if line}
    # Samples share a request, strategies and conclusions do not; a trained team may move on.
    calls = [float(lines[parse][1]) for parse in ("cot", "self_consistency:k=4", "econ:rounds=3")]
    assert calls == [1, 1, 13]
    assert "6 questions, each with 2 seeds" in unpriced
    assert "cost: not known without the price of vllm:m@" in unpriced
    assert "cost: USD" in capsys.readouterr().out
    assert not (rows.parent / "out").exists()


def test_a_dry_run_counts_what_the_run_then_asks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    methods = ["greedy", "self_consistency:k=3", "debate:rounds=2", "best_of_n_commit"]
    assert compare(tmp_path, "--methods", *methods, "--dry-run") == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    estimates = {line[0]: float(line[1]) for line in lines if line[:1] and line[0] in methods}
    assert compare(tmp_path, "--methods", *methods) == 0
    played = comparison(tmp_path)["methods"]
    assert {m["method"]: m["spending"]["calls"] for m in played} == estimates


def test_a_server_without_its_key_is_refused_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("TOGETHER_API_KEY", raising=False)
    flags = ["--llm", "together:some/model", "--dataset", str(tmp_path / "missing.jsonl")]
    assert main([*flags, "--log-dir", str(tmp_path / "out")]) == 2
    err = capsys.readouterr().err
    assert "TOGETHER_API_KEY" in err
    assert "--llm bundled" in err
    assert "missing.jsonl" not in err
    assert not (tmp_path / "out").exists()


# What may mean something else than the user thinks


def test_one_trained_team_for_several_seeds_is_said() -> None:
    flags = read_flags([*SIMULATED, "--seeds", "0", "1"], prog="compare.py")
    config = flags.env_config()
    [note] = notes(flags, config, {0: Path("a"), 1: Path("a")})
    assert "--model-dir has no {seed}" in note
    assert list(notes(flags, config, {0: Path("a"), 1: Path("b")})) == []
    assert list(notes(flags, config, {})) == []


def test_a_team_that_plays_the_questions_it_was_trained_on_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(command, "saved_config", lambda checkpoint: read_config("simulated"))
    said = {}
    for split in ("train", "test"):
        flags = read_flags([*SIMULATED, "--split", split], prog="compare.py")
        said[split] = list(notes(flags, flags.env_config(), {0: Path("a")}))
    assert said["test"] == []
    [note] = said["train"]
    assert "trained on the questions that are compared" in note


@pytest.mark.parametrize(
    ("llm", "cache", "told"),
    [
        ("vllm:m@http://127.0.0.1:1/v1", "read_write", True),
        ("vllm:m@http://127.0.0.1:1/v1", "off", False),
        ("vllm:m@http://127.0.0.1:1/v1", "replay", False),
        # No request for several samples, so none for the rest of them.
        ("llamacpp_python:m@http://127.0.0.1:1/v1", "read_write", False),
        ("bundled", "read_write", False),
    ],
)
def test_samples_that_methods_share_in_a_cache_are_said(
    llm: str, cache: CacheMode, told: bool
) -> None:
    flags = read_flags(["--llm", llm, "--cache", cache], prog="compare.py")
    said = list(notes(flags, flags.env_config(), {}))
    assert ["leave the cache off" in note for note in said] == [True] * told


# Mistakes


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--methods", "gready"], "did you mean 'greedy'"),
        (["--methods", "debate:round=2"], "did you mean 'rounds'"),
        (["--methods", "econ"], "./run_econ.sh"),
        (["--methods", "econ", "--model-dir", "/no/such"], "/no/such holds no checkpoint"),
        (["--methods", "first_round_vote"], "add econ to --methods"),
        (["--methods", "greedy:model=bundled:1"], "--methods: 'greedy:model=bundled:1': the team"),
        (["--methods", "cot:model=x", "--dry-run"], "the team has no model 'x'"),
        (["--budget-match", "econ"], "--budget-match takes one of --methods"),
        (["--budget-match", "debate"], "--budget-match takes one of --methods"),
        (["--budget-match", "dibate"], "did you mean 'debate'"),
        (["--questions", "0"], "--questions must be at least 1"),
        (["--in-flight", "0"], "--in-flight must be at least 1"),
        (["--seeds"], "--seeds needs a value"),
        (["--n-agents", "0"], "--n-agents must be a whole number"),
        (["--dataset", "gsm9k"], "simulated models play --dataset simulated"),
        (["--llm", "bundeld"], "unknown model 'bundeld'"),
        (["--top-q", "1"], "did you mean '--top-p'"),
        (["secret"], "belongs to no flag"),
        (["--bne-rounds", "3"], "econ:rounds=3"),
        (["--no-loop"], "answers each question once"),
        (["--top-p", "3"], "--top-p"),
        (["--reward-weights", "ts=1"], "missing: al, cc"),
        (["--reward-weights", "ts"], "--reward-weights takes the three components"),
        (["--prices", "cheap"], "--prices takes a model"),
        (["--cache-path", "somewhere"], "keeps nothing"),
        (["--max-cost-usd", "0"], "--max-cost-usd"),
        (["--paper", "maths"], "did you mean 'math'"),
        (["--config", "/no/such.yaml"], "/no/such.yaml cannot be read"),
    ],
    ids=str,
)
def test_a_mistake_is_said_at_once(
    flags: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(tmp_path / "out", *flags) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("compare.py: ")
    assert message in captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("question: 3", "did you mean 'questions'"),
        ("questions: many", "questions must be a whole number, got 'many'"),
        ("bne_rounds: 3", "econ:rounds=3"),
        ("ray_address: host:6379", "unknown key 'ray_address'"),
        ("reward_weights: {ts: x}", "reward_weights must be a number, got 'x'"),
        ("prices: {m: 3}", "prices must be a list of a number, got 3"),
        ("streaming: {}", "streaming must be true or false"),
        ("log_dir: 3", "log_dir must be text, got 3"),
        ("- 3", "must hold keys"),
        ("a: [", "line 1"),
    ],
)
def test_a_mistake_in_a_file_names_the_file(
    text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "flags.yaml"
    file.write_text(text)
    assert compare(tmp_path, "--config", str(file)) == 2
    err = capsys.readouterr().err
    assert str(file) in err
    assert message in err


def test_a_secret_in_the_wrong_place_is_not_repeated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (["--set", "sk-secret"], ["--set=sk-secret"], ["sk-secret"]):
        assert compare(tmp_path, *arguments) == 2
        assert "sk-secret" not in capsys.readouterr().err


class _Worker:
    """A worker in this process, called as Ray's are."""

    def __init__(self, worker: Worker) -> None:
        self.answer = SimpleNamespace(remote=worker.answer)


class _Pool:
    """Carries tasks out backwards, by two workers in turn."""

    def __init__(self, worker: type[Worker], job: Job) -> None:
        workers = [worker(job) for _ in range(2)]
        assert [one.open() for one in workers] == [None, None]
        self._workers = [_Worker(one) for one in workers]
        self.names: list[str] = []

    def run(self, tasks: Sequence[Task]) -> list[Any]:
        self.names += [task.name for task in tasks]
        done = [task.start(self._workers[turn % 2]) for turn, task in enumerate(reversed(tasks))]
        for found in done:
            if isinstance(found, UsersError):
                raise WorkerError(found)
        return done[::-1]

    def close(self) -> None:
        pass


@pytest.fixture
def pools(monkeypatch: pytest.MonkeyPatch) -> list[_Pool]:
    """The pools that are opened in place of Ray's."""
    found: list[_Pool] = []

    def opened(placement: Placement, worker: type[Worker], job: Job) -> _Pool:
        found.append(_Pool(worker, job))
        return found[-1]

    monkeypatch.setattr(Placement, "open_pool", opened)
    monkeypatch.setattr(Placement, "check", lambda placement: None)
    return found


def test_records_of_workers_are_those_of_one_process(tmp_path: Path, pools: list[_Pool]) -> None:
    methods = ["--methods", "self_consistency:k=2", "econ_untrained:rounds=2"]
    assert compare(tmp_path / "here", *methods, "--in-flight", "5") == 0
    flags = [*methods, "--in-flight", "5", "--rollout", "ray", "--rollout-workers", "3"]
    assert compare(tmp_path / "spread", *flags) == 0
    assert comparison(tmp_path / "spread") == comparison(tmp_path / "here")
    assert pools[0].names[:3] == [
        f"answered {count} questions by self_consistency:k=2" for count in (2, 2, 1)
    ]


@pytest.mark.usefixtures("pools")
def test_what_stops_a_worker_stops_the_comparison_and_keeps_its_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--methods", "greedy", "--max-requests", "1", "--rollout", "ray"]
    assert compare(tmp_path, *flags) == 1
    said = capsys.readouterr().err
    assert "--max-requests" in said
    assert "Repeat the command to continue" in said


def test_a_vote_has_no_method_of_its_own() -> None:
    config = EnvConfig(dataset="simulated", llm="simulated")
    workshop = Workshop(config, config.models(), steering=lambda *_: Untrained(), in_flight=1)
    assert workshop.method(parse_spec("debate:rounds=2"), 0).spec == "debate:rounds=2"
    with pytest.raises(TypeError, match="is made of the records of"):
        workshop.method(parse_spec("first_round_vote"), 0)
