"""Tests of the throughput benchmark: it runs at a tiny size and writes all its entries."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.throughput import command as throughput
from benchmarks.throughput.mock_server import TEXT, mock_server
from benchmarks.throughput.settings import PARTS, Load, Local, Part, Settings
from econ_env.game.parsing import parse_commitment
from econ_env.grading.extraction import extract
from tests.econ_env.llm.local.test_model import save_model

pytestmark = pytest.mark.slow

TINY = Load(
    latency_s=0.01,
    in_flight=4,
    waves=2,
    many_in_flight=8,
    many_latency_s=0.05,
    many_waves=2,
    compared_in_flight=4,
    compared_requests=8,
    ceiling_requests=100,
    questions=2,
    servers_latency_s=0.01,
)


def measured(part: Part, out: Path) -> dict[str, Any]:
    """Measure one part at the smallest size; return its entry."""
    throughput.main(Settings(parts=(part,), repeats=1, seconds=0.05, api=TINY, out=out))
    entry: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))[part]
    assert {"date", "machine", "versions"} <= entry.keys()
    return entry


def test_every_part_can_be_measured() -> None:
    assert set(throughput.MEASURES) == set(PARTS)


def test_the_client_is_compared_with_the_ideal(tmp_path: Path) -> None:
    entry = measured("api_client", tmp_path / "out.json")
    assert entry["ideal_requests_per_second"] == pytest.approx(400)
    assert entry["ratio"] == pytest.approx(entry["requests_per_second"] / 400)
    low, high = entry["ratio_range"]
    assert low <= entry["ratio"] <= high <= 1
    assert entry["mock_server"]["requests_per_second"] > 0


def test_many_requests_in_flight_are_counted_with_what_they_leave(tmp_path: Path) -> None:
    entry = measured("api_many", tmp_path / "out.json")
    assert entry["requests"] == 2 * 16, "a warm-up and one repeat"
    assert entry["failed"] == entry["sent_again"] == 0
    assert 1 <= entry["most_in_flight_at_the_server"] <= 8
    assert entry["ideal_requests_per_second"] == pytest.approx(160)
    assert entry["ratio"] == pytest.approx(entry["requests_per_second"] / 160)
    assert len(entry["memory_mib_after_each"]) == 2
    assert entry["threads_left"] == entry["ctrl_c"]["threads_left"] == 0
    assert entry["ctrl_c"]["end_s"] > 0


def test_the_client_is_compared_with_the_official_one(tmp_path: Path) -> None:
    pytest.importorskip("openai", reason="the extra bench is not installed")
    entry = measured("api_openai", tmp_path / "out.json")
    rates = entry["requests_per_second"]
    assert rates.keys() == {"econ_env", "openai_threads", "openai_async"}
    faster = max(rates["openai_threads"], rates["openai_async"])
    assert entry["ratio"] == pytest.approx(rates["econ_env"] / faster)
    assert entry["cpu_ms_per_request"].keys() == rates.keys()


def test_episodes_are_compared_with_the_critical_path_of_their_phases(tmp_path: Path) -> None:
    entry = measured("api_episodes", tmp_path / "out.json")
    assert entry["requests"] == 2 + 6 + 2
    # Of the six responses four go first, then two.
    assert entry["critical_path_s"] == pytest.approx(4 * 0.01)
    assert entry["ratio"] == pytest.approx(entry["batch_s"] / entry["critical_path_s"])
    assert entry["ratio"] >= 1
    per_hour = entry["episodes_per_hour"]
    assert per_hour["batch"] == pytest.approx(2 * 3600 / entry["batch_s"])
    assert per_hour["authors"] == pytest.approx(1090.9, abs=0.1)


def test_a_team_on_several_servers_is_compared_with_one_on_one_server(tmp_path: Path) -> None:
    entry = measured("api_servers", tmp_path / "out.json")
    rounds = entry["round_s"]
    assert rounds.keys() == {"servers_1", "servers_3", "servers_6"}
    assert min(rounds.values()) >= entry["critical_path_s"] == pytest.approx(2 * 0.01)
    ratios = entry["ratio_to_one_server"]
    assert ratios.keys() == {"servers_3", "servers_6"}
    for name, ratio in ratios.items():
        assert ratio == pytest.approx(rounds[name] / rounds["servers_1"])


def test_trainers_on_a_batch_are_compared_with_trainers_on_copies(tmp_path: Path) -> None:
    for trainer in ("torchrl", "stable_baselines3", "supersuit"):
        pytest.importorskip(trainer, reason=f"{trainer} is not installed")
    out = tmp_path / "out.json"
    settings = Settings(parts=("vectorised",), repeats=1, questions=3, api=TINY, out=out)
    throughput.main(settings)
    entry = json.loads(out.read_text(encoding="utf-8"))["vectorised"]
    rates = entry["rounds_per_second"]
    for trainer in ("torchrl", "sb3"):
        # One call for the three questions, unless the strategy is known already.
        assert 2 / 3 <= entry["calls_per_phase"][f"{trainer}_batch"] <= 1
        assert 2 <= entry["calls_per_phase"][f"{trainer}_copies"] <= 3
        batch, copies = rates[f"{trainer}_batch"], rates[f"{trainer}_copies"]
        assert entry["ratio"][trainer] == pytest.approx(batch / copies)


def test_parts_that_were_not_measured_keep_their_entry(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    out.write_text('{"grader": {"numeric_microseconds": 5}}', encoding="utf-8")
    measured("simulator", out)
    assert json.loads(out.read_text())["grader"] == {"numeric_microseconds": 5}


def test_it_runs_as_a_script(repository: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.throughput"]
    options = ["--parts", "simulator", "--repeats", "1", "--seconds", "0.05"]
    done = subprocess.run(
        [*command, *options, "--out", str(tmp_path / "out.json")],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "single_steps_per_second" in done.stdout
    assert "simulator" in json.loads((tmp_path / "out.json").read_text())


def test_a_missing_client_is_said_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(throughput, "find_spec", lambda name: None)
    assert throughput.main(Settings(parts=("api_openai",), out=tmp_path / "out.json")) == 2
    assert "[bench]" in capsys.readouterr().err
    assert not (tmp_path / "out.json").exists()


def test_without_a_model_the_part_local_is_skipped_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.json"
    out.write_text('{"local": {"model": "kept"}}', encoding="utf-8")
    throughput.main(Settings(parts=("local",), out=out))
    assert "local\n  skipped: no model is named: --local.model" in capsys.readouterr().out
    assert json.loads(out.read_text()) == {"local": {"model": "kept"}}


def test_a_local_model_is_compared_with_raw_decoding_and_generate(tmp_path: Path) -> None:
    folder = save_model(tmp_path / "model")
    local = Local(model=f"hf:{folder}", questions=2, in_flight=4, max_tokens=6)
    out = tmp_path / "out.json"
    throughput.main(Settings(parts=("local",), repeats=1, executors=2, local=local, out=out))
    entry = json.loads(out.read_text(encoding="utf-8"))["local"]
    assert entry["requests"] == 4
    assert entry["llama_cpp_skipped"] == "no file is named: --local.gguf FILE"
    assert set(entry["loop_over"]) == {"raw_decode", "generate"}
    rates = entry["tokens_per_cpu_second"]
    assert entry["loop_over"]["generate"] == pytest.approx(rates["loop"] / rates["generate"])
    assert entry["sampling_part_of_loop"] == pytest.approx(rates["loop"] / rates["sampling"])


def test_the_mock_server_counts_what_it_saw_and_ends_with_its_block() -> None:
    with mock_server(0.0) as server:
        assert server.counts() == {"requests": 0, "most_in_flight": 0}
    with pytest.raises(ConnectionRefusedError):
        server.counts()


def test_every_role_finds_something_in_the_mock_servers_text() -> None:
    assert parse_commitment(TEXT).value == "18"
    assert extract(TEXT) == "18"
