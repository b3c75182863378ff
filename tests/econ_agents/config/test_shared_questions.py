"""Training and test on the same questions are noticed, whatever the split is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from econ_agents.config.files import read_config
from econ_agents.config.shared_questions import shared_questions


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"question": "1 + 1?", "answer": "2"}\n', encoding="utf-8")
    return path


def test_a_single_file_is_the_same_in_training_and_test(rows: Path) -> None:
    config = read_config("quickstart", [f"env_args.hf_dataset_path={rows}"])
    said = shared_questions(config)
    assert said is not None
    assert f"training and test play the same questions, those of {rows}" in said
    assert "env.test_kwargs" in said


def test_another_file_for_the_test_is_fine(rows: Path, tmp_path: Path) -> None:
    unseen = tmp_path / "unseen.jsonl"
    unseen.write_text(rows.read_text(encoding="utf-8"), encoding="utf-8")
    keys = [f"env.train_kwargs.dataset={rows}", f"env.test_kwargs.dataset={unseen}"]
    assert shared_questions(read_config(None, keys)) is None


def test_two_splits_are_different_questions_and_one_split_is_not() -> None:
    assert shared_questions(read_config("quickstart")) is None
    same = read_config("quickstart", ["env.test_kwargs.split=train"])
    said = shared_questions(same)
    assert said is not None
    assert "the same questions:" in said


@pytest.mark.parametrize(
    ("keys", "shared"),
    [
        (["env.test_kwargs.split=test"], True),
        (["env_args.dataset_split=test"], True),
        (["env_args.dataset_split=train"], False),
    ],
)
def test_a_split_that_is_left_out_is_the_one_that_the_environment_plays(
    keys: list[str], shared: bool
) -> None:
    config = read_config(None, ["env_args.hf_dataset_path=simulated", *keys])
    assert (shared_questions(config) is not None) == shared
