"""Tests of the ready-made comparisons: they can be read and do what their comments say."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from benchmarks.comparison.flag_file import read_flags
from benchmarks.comparison.flags import Compare
from benchmarks.comparison.paper import DEFAULT_MODEL, OURS, PaperSetting

CONFIGS = Path(__file__).parents[2] / "benchmarks" / "configs"


@cache
def read(name: str) -> Compare:
    return read_flags(["--config", str(CONFIGS / f"{name}.yaml")], prog="compare.py")


PUBLIC = {
    "gsm8k_1.5b": ("local:qwen2.5-coder-1.5b", 200),
    "gsm8k_1.5b_casting_vote": ("local:qwen2.5-coder-1.5b", 200),
    "gsm8k_mixed_casting_vote": (
        ("local:qwen2.5-coder-1.5b", "local:qwen2.5-coder-0.5b", "local:qwen2.5-coder-1.5b"),
        200,
    ),
    "gsm8k_0.5b": ("llamacpp:qwen2.5-coder-0.5b@http://127.0.0.1:8093/v1", 100),
    "gsm8k_0.5b_casting_vote": ("local:qwen2.5-coder-0.5b", 200),
    "gsm8k_0.5b_trained": ("local:qwen2.5-coder-0.5b", 200),
    "svamp_1.5b": ("local:qwen2.5-coder-1.5b", 100),
    "svamp_1.5b_trained": ("local:qwen2.5-coder-1.5b", 100),
    "math500_1.5b": ("local:qwen2.5-coder-1.5b", 100),
    "math500_1.5b_trained": ("local:qwen2.5-coder-1.5b", 100),
}
"""Comparisons of public models, with the models and the number of questions."""
AT_ECONS_BUDGET = sorted(path for path in CONFIGS.iterdir() if path.stem not in PUBLIC)


@pytest.mark.parametrize(("name", "llm", "questions"), [(n, *what) for n, what in PUBLIC.items()])
def test_a_comparison_of_public_models_names_its_primary_contrast_and_can_decode_greedily(
    name: str, llm: str | tuple[str, ...], questions: int
) -> None:
    flags = read(name)
    entries = flags.entries()
    assert flags.primary_contrast(entries) is not None
    assert (flags.split, flags.questions, flags.temperature_min) == ("test", questions, 0.0)
    assert flags.llm == llm


@pytest.mark.parametrize("path", AT_ECONS_BUDGET, ids=lambda path: path.stem)
def test_every_file_is_a_comparison_in_several_seeds_at_econs_budget(path: Path) -> None:
    flags = read(path.stem)
    entries = flags.entries()
    target = flags.target(entries)
    assert target is not None
    assert target.canonical == "econ"
    assert len(flags.seeds) >= 3
    assert flags.model_dir is not None
    assert "{seed}" in flags.model_dir
    matched = {entry.spec.name for entry in entries if entry.knob is not None}
    assert "self_consistency" in matched
    tuned = {entry.spec.name for entry in entries if entry.tunable is not None}
    assert {"self_consistency", "best_of_n_commit", "econ_fixed"} <= tuned
    contrast = flags.primary_contrast(entries)
    assert contrast is not None
    assert [spec.name for spec in contrast] == ["econ", "self_consistency"]


@pytest.mark.parametrize("dataset", ["math", "gsm8k", "svamp"])
def test_the_papers_settings_play_what_its_table_can_be_compared_with(dataset: str) -> None:
    flags = read(f"paper_{dataset}")
    assert flags.dataset == dataset
    assert flags.paper_setting() == PaperSetting(dataset=dataset, model=DEFAULT_MODEL)
    fixed = {entry.spec.canonical for entry in flags.entries() if entry.knob is None}
    assert set(OURS.values()) <= fixed


def test_the_bundled_comparison_needs_no_network() -> None:
    flags = read("bundled")
    assert (flags.dataset, flags.llm, flags.paper) == ("arithmetic", "bundled", None)
    assert (flags.split, flags.questions, flags.seeds) == ("sealed", 300, (0, 1, 2, 3, 4))
    assert flags.tune == "validation"
