"""Tests of the record store: records survive a killed process, other settings are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.comparison.records import Record
from benchmarks.comparison.settings import SettingsFile, what_answers_depend_on
from benchmarks.comparison.store import RecordStore, StoreError
from benchmarks.errors import SettingsDiffer
from econ_env.config import EnvConfig
from econ_env.llm.types import Usage
from econ_env.questions.base import Question

QUESTIONS = (Question(id="q:0", text="1 + 1?", gold="2"), Question(id="q:1", text="2?", gold="2"))


def record(question: str, *, failed: str | None = None, method: str = "cot") -> Record:
    return Record(
        method=method,
        seed=0,
        question=question,
        failed=failed,
        verdict="" if failed else "correct",
        rounds=(),
        closed_by="",
        usage=Usage(prompt_tokens=3, requests=1),
        cost_usd=None,
        longest_prompt_tokens=3,
        wall_s=0.5,
    )


def test_records_are_read_again_as_they_were(tmp_path: Path) -> None:
    kept = [record("a"), record("b\n“ü”\ud800")]
    RecordStore(tmp_path / "new" / "records.jsonl").add(kept)
    assert RecordStore(tmp_path / "new" / "records.jsonl").all() == kept


def test_the_later_record_of_a_question_counts(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    RecordStore(path).add([record("a", failed="lost"), record("b")])
    store = RecordStore(path)
    store.add([record("a")])
    for found in (store, RecordStore(path)):
        assert found.get(("cot", 0, "a")) == record("a")
        assert len(found.all()) == 2
    assert store.get(("greedy", 0, "a")) is None


@pytest.mark.parametrize("cut", [1, 2, 40])
def test_a_line_without_an_end_is_dropped_and_written_anew(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "records.jsonl"
    RecordStore(path).add([record("a"), record("b")])
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    store = RecordStore(path)
    assert store.all() == [record("a")]
    store.add([record("b")])
    assert path.read_bytes() == whole


def test_a_first_line_without_an_end_leaves_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    path.write_text('{"method": "co')
    assert RecordStore(path).all() == []
    assert path.read_bytes() == b""


@pytest.mark.parametrize("line", ["{}", "not json", '{"method": 3}', "", "[" * 5000])
def test_a_damaged_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "records.jsonl"
    path.write_text(f"{json.dumps(record('a').to_json())}\n{line}\n")
    with pytest.raises(StoreError, match=r"records.jsonl, line 2 .*remove the line"):
        RecordStore(path)


def settings(folder: Path, *, llm: str = "bundled", seeds: tuple[int, ...] = ()) -> SettingsFile:
    depends_on = what_answers_depend_on(EnvConfig(llm=llm), QUESTIONS)
    return SettingsFile(folder, depends_on, {seed: f"sum of {seed}" for seed in seeds})


def test_the_same_settings_go_on_with_more_seeds_and_keep_what_was_matched(tmp_path: Path) -> None:
    settings(tmp_path, seeds=(0,)).keep_matched("debate", "econ", "debate:rounds=2")
    again = settings(tmp_path, seeds=(0, 1))
    assert again.matched("debate", "econ") == "debate:rounds=2"
    assert again.matched("debate", "econ:rounds=3") is None
    # A command without econ in between forgets no checkpoint.
    settings(tmp_path)
    with pytest.raises(SettingsDiffer, match="the checkpoint of seed 1 has changed"):
        SettingsFile(tmp_path, what_answers_depend_on(EnvConfig(), QUESTIONS), {1: "other"})


def test_other_models_are_refused_with_both_values(tmp_path: Path) -> None:
    settings(tmp_path)
    with pytest.raises(SettingsDiffer, match=r'llm: "bundled" there, "bundled:0" now.*--log-dir'):
        settings(tmp_path, llm="bundled:0")


def test_other_weights_of_a_bundled_model_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings(tmp_path)
    settings(tmp_path)
    monkeypatch.setattr("benchmarks.comparison.settings.content_version", lambda folder: "trained")
    with pytest.raises(SettingsDiffer, match=r'weights: .*"bundled:1": "trained"'):
        settings(tmp_path)


@pytest.mark.parametrize(
    ("now", "differs"),
    [
        ({"dataset": "gsm8k"}, "dataset"),
        ({"n_agents": 4}, "n_agents"),
        ({"top_p": 0.5}, "top_p"),
        ({"prices": {"bundled:0": [1, 1]}}, "prices"),
        ({"seed": 1}, "seed"),
        ({"max_concurrency": 3, "cache": "read_write", "max_requests": 9}, None),
        ({"prompts": "compact", "embedder": "hashing", "split": "train"}, None),
    ],
    ids=str,
)
def test_only_what_records_depend_on_is_compared(
    tmp_path: Path, now: dict[str, object], differs: str | None
) -> None:
    SettingsFile(tmp_path, what_answers_depend_on(EnvConfig(), QUESTIONS), {})
    new = what_answers_depend_on(EnvConfig(**now), QUESTIONS)  # type: ignore[arg-type]
    if differs is None:
        SettingsFile(tmp_path, new, {})
        return
    with pytest.raises(SettingsDiffer, match=rf"\({differs}: "):
        SettingsFile(tmp_path, new, {})


def test_questions_are_compared_by_what_they_say(tmp_path: Path) -> None:
    SettingsFile(tmp_path, what_answers_depend_on(EnvConfig(), QUESTIONS), {})
    changed = (QUESTIONS[0], Question(id="q:1", text="2?", gold="3"))
    with pytest.raises(SettingsDiffer, match="questions_sha256"):
        SettingsFile(tmp_path, what_answers_depend_on(EnvConfig(), changed), {})
    with pytest.raises(SettingsDiffer, match="questions: 2 there, 1 now"):
        SettingsFile(tmp_path, what_answers_depend_on(EnvConfig(), QUESTIONS[:1]), {})


@pytest.mark.parametrize("text", ["", "[]", '{"depends_on": {}, "checkpoints": {}}', "null"])
def test_a_damaged_settings_file_is_no_licence_to_mix(tmp_path: Path, text: str) -> None:
    (tmp_path / "comparison_settings.json").write_text(text)
    with pytest.raises(SettingsDiffer, match="cannot be read"):
        settings(tmp_path)
