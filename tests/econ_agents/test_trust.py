"""Files from others are not the user's word: what checkpoints and folders of runs may decide."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from econ_agents.commands.cli import main
from econ_agents.config.files import read_config, write_config
from econ_agents.config.schema import ConfigError
from econ_agents.environments import trusted
from econ_agents.training.checkpoint import CheckpointError, seal, unseal
from econ_agents.training.inspection import results_folder, saved_config, stored_config
from econ_agents.training.train import resume_training
from econ_env.llm import close_shared_models
from tests.econ_agents.small_runs import TINY, checkpoint_path, small_config, train
from tests.misbehaving_server import MisbehavingServer

ODD = "tests.econ_agents.odd_environments:flaky"
FLAKY = (
    f"env.factory={ODD} executor_model=null env_args.hf_dataset_path=null "
    "env_args.dataset_split=null env.kwargs.share=0.0 train.episodes=20"
).split()
FEW = ["--episodes", "2", "--test.streams", "2"]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("original"), "train.episodes=20")


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("odd"), *FLAKY)


@pytest.fixture
def run(original: Path, tmp_path: Path) -> Path:
    """A copy of a run, as somebody else would send it."""
    return Path(shutil.copytree(original, tmp_path / "run"))


def configure(run: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the configuration in the checkpoints of a run, and seal them again."""
    for file in run.glob("checkpoints/*/state.json"):
        document = unseal(file.read_bytes())
        change(document["state"]["config"])
        file.write_bytes(seal(document))


def attacked(run: Path, marker: Path) -> None:
    """Name a factory that runs a command, as a resealed checkpoint did once."""

    def change(config: dict[str, Any]) -> None:
        config["env"] = {"factory": "subprocess:Popen", "kwargs": {"args": ["touch", str(marker)]}}
        config["env_args"], config["executor_model"], config["sampling"] = {}, None, {}
        config["bne"]["enabled"] = False

    configure(run, change)
    settings = read_config(run / "config.yaml")
    kwargs = {"args": ["touch", str(marker)]}
    env = type(settings.env)(factory="subprocess:Popen", kwargs=kwargs)
    write_config(replace(settings, env=env), run / "config.yaml")


# Code


@pytest.mark.parametrize("command", ["test", "evaluate", "play", "nash", "resume"])
def test_a_checkpoint_runs_no_command(
    command: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    marker = tmp_path / "marker"
    attacked(run, marker)
    flag = "--log-dir" if command == "resume" else "--model-dir"
    assert main([command, flag, str(run)]) == 2
    said = capsys.readouterr().err
    assert "'subprocess:Popen' is loaded only if you name it yourself" in said
    assert "--env.factory subprocess:Popen" in said
    assert not marker.exists()


def test_inspecting_shows_the_factory_and_loads_it_not(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    attacked(run, tmp_path / "marker")
    assert main(["inspect", "--model-dir", str(run)]) == 0
    assert "subprocess:Popen" in capsys.readouterr().out
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize(
    "factory",
    [
        "econ_env.commands.cli:main",
        "econ_env.envs.batched:BatchedEconEnv",
        "econ_env:__import__",
        "econ_env_evil:parallel_env",
        "ECON_ENV:parallel_env",
        "econ_env:parallel_env2",
        ODD,
    ],
)
def test_only_the_factories_themselves_are_trusted(factory: str, run: Path) -> None:
    configure(run, lambda config: config["env"].update(factory=factory))
    with pytest.raises(CheckpointError, match="only if you name it yourself"):
        stored_config(checkpoint_path(run))
    assert saved_config(checkpoint_path(run)).env.factory == factory
    assert stored_config(checkpoint_path(run), factory=factory).env.factory == factory


def test_installed_packages_declare_their_factories(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(run, lambda config: config["env"].update(factory="somebody.envs:make"))
    declared = EntryPoint("some", "somebody.envs:make [extra]", trusted.GROUP)
    monkeypatch.setattr(trusted, "entry_points", lambda group: [declared])
    assert stored_config(checkpoint_path(run)).env.factory == "somebody.envs:make"


@pytest.mark.parametrize(
    "words", [["--env.factory", ODD], [f"--env.factory={ODD}"], ["--set", f"env.factory={ODD}"]]
)
def test_a_factory_that_the_user_names_again_is_loaded(
    words: list[str], odd: Path, tmp_path: Path
) -> None:
    given = ["test", "--model-dir", str(odd), "--log-dir", str(tmp_path), *FEW]
    assert main(given) == 2
    assert main([*given, *words]) == 0


def test_a_run_in_a_foreign_environment_goes_on_if_the_user_names_it(
    odd: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(odd, tmp_path / "run"))
    with pytest.raises(ConfigError, match=f"add --env.factory {ODD}"):
        resume_training(run)
    with pytest.raises(ConfigError, match="a run goes on in its own environment"):
        resume_training(run, factory="econ_env:parallel_env")
    assert main(["resume", "--log-dir", str(run), "--env.factory", ODD]) == 0


def test_arguments_of_a_checkpoint_go_to_its_own_factory_only(run: Path) -> None:
    configure(run, lambda config: config["env"].update(kwargs={"order": "sequential"}))
    place = checkpoint_path(run)
    assert stored_config(place).env.kwargs == {"order": "sequential"}
    assert stored_config(place, factory=ODD).env.kwargs == {}


# Keys


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MisbehavingServer]:
    for name in ("OPENAI_API_KEY", "VLLM_API_KEY", "TOGETHER_API_KEY"):
        monkeypatch.setenv(name, "sk-of-the-user-0123456789")
    monkeypatch.delenv("ECON_ALLOW_KEY_FOR", raising=False)
    with MisbehavingServer() as made:
        yield made
    close_shared_models()


def elsewhere(run: Path, name: str) -> None:
    """Let the models of a checkpoint be on a server of somebody else."""

    def change(config: dict[str, Any]) -> None:
        config["executor_model"] = config["coordinator_model"] = name
        config["env_args"]["hf_dataset_path"] = "arithmetic"
        config["env"]["kwargs"] = {
            "embedder": "hashing",
            "prompts": "compact",
            "second_action": "none",
        }

    configure(run, change)


@pytest.mark.parametrize("profile", ["openai", "vllm", "together"])
def test_a_checkpoint_sends_no_key_elsewhere(
    profile: str, run: Path, server: MisbehavingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere(run, f"{profile}:test-model@{server.url}")
    flags = ["--model-dir", str(run), "--episodes", "1", "--test.streams", "1"]
    main(["test", *flags])
    assert {chat.headers.get("authorization") for chat in server.chats} == {None}
    assert not any("sk-of-the-user" in str(chat.headers) for chat in server.seen)
    close_shared_models()
    before = len(server.chats)
    main(["test", *flags, "--allow-key-for", "127.0.0.1"])
    sent = {chat.headers.get("authorization") for chat in server.chats[before:]}
    assert sent == {"Bearer sk-of-the-user-0123456789"}
    assert "ECON_ALLOW_KEY_FOR" not in os.environ


def test_no_file_can_give_the_word_of_the_user(run: Path) -> None:
    configure(run, lambda config: config.update(allow_key_for=["evil.org"]))
    with pytest.raises(CheckpointError, match="allow_key_for"):
        stored_config(checkpoint_path(run))


# Folders


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_copied_run_reports_into_its_own_folder(original: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    shutil.copytree(original, kept)
    configure(kept, lambda config: config["logging"].update(log_dir=str(kept)))
    copy = Path(shutil.copytree(kept, tmp_path / "copy"))
    before = everything(kept)
    assert main(["test", "--model-dir", str(copy), *FEW]) == 0
    assert (copy / "test_report.json").is_file()
    assert main(["nash", "--model-dir", str(copy / "checkpoints"), "--questions", "4"]) == 0
    assert (copy / "nash.json").is_file()
    assert everything(kept) == before


def test_a_lone_checkpoint_reports_beside_itself(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "received" / "theirs"
    shutil.copytree(checkpoint_path(run), place)
    configure_one(place, lambda config: config["logging"].update(log_dir=str(tmp_path / "away")))
    monkeypatch.chdir(place)
    assert main(["test", "--model-dir", ".", *FEW]) == 0
    assert (place.parent / "test_report.json").is_file()
    assert not (tmp_path / "away").exists()
    assert results_folder(checkpoint_path(run)) == run


def configure_one(place: Path, change: Callable[[dict[str, Any]], object]) -> None:
    file = place / "state.json"
    document = unseal(file.read_bytes())
    change(document["state"]["config"])
    file.write_bytes(seal(document))


def test_a_report_is_not_written_through_a_link(run: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine", encoding="utf-8")
    for name in ("test_report.json", ".test_report.json.new"):
        (run / name).symlink_to(victim)
    assert main(["test", "--model-dir", str(run), *FEW]) == 0
    assert victim.read_text(encoding="utf-8") == "mine"
    assert "baseline" in json.loads((run / "test_report.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["checkpoints", "metrics.csv", "plots", "tensorboard/events"])
def test_a_run_with_links_to_other_places_does_not_go_on(
    name: str, run: Path, tmp_path: Path
) -> None:
    place = run / name
    away = tmp_path / "away"
    if place.exists():
        place.rename(away)
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(away)
    with pytest.raises(ConfigError, match="leads out of the folder of the run"):
        resume_training(run)


def test_a_run_does_not_go_on_in_the_checkpoints_of_another(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    apart = tmp_path / "apart"
    (run / "checkpoints").rename(apart)
    config = small_config("train.episodes=20", f"logging.model_dir={apart}")
    write_config(config, run / "config.yaml")
    before = everything(apart)
    assert main(["resume", "--log-dir", str(run)]) == 2
    assert f"add --model-dir {apart} if that folder is yours" in capsys.readouterr().err
    assert everything(apart) == before
    assert main(["resume", "--log-dir", str(run), "--model-dir", str(apart)]) == 0


@pytest.mark.parametrize("target", ["/dev/zero", "pipe"])
def test_a_configuration_is_read_from_a_file_only(target: str, run: Path) -> None:
    path = run / "config.yaml"
    path.unlink()
    if target == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(target)
    with pytest.raises(ConfigError):
        resume_training(run)


def test_a_configuration_of_endless_references_is_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 10)}]" for k in range(1, 12)]
    path = tmp_path / "config.yaml"
    path.write_text("env: {kwargs: {" + ", ".join(lines) + "}}", encoding="utf-8")
    with pytest.raises(ConfigError, match="more than 100,000 values"):
        read_config(path)
    path.write_text("env: {kwargs: &a {b: *a}}", encoding="utf-8")
    with pytest.raises(ConfigError):
        read_config(path)
    path.write_text("seed: " + "[" * 5000, encoding="utf-8")
    with pytest.raises(ConfigError):
        read_config(path)


# Modes


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
@pytest.mark.slow
def test_a_run_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    log_dir = tmp_path / "run"
    before = os.umask(0o022)
    try:
        flags = [f"--set={each}" for each in ("train.episodes=10", "logging.tensorboard=true")]
        small = [f"--set={each}" for each in TINY]
        given = ["train", "--config", "simulated", *small, *flags, "--log-dir", str(log_dir)]
        assert main(given) == 0
        assert main(["test", "--model-dir", str(log_dir), *FEW]) == 0
    finally:
        os.umask(before)
    found = {path: stat.S_IMODE(path.stat().st_mode) for path in [log_dir, *log_dir.rglob("*")]}
    assert len(found) > 10
    assert {path for path, mode in found.items() if mode & 0o077} == set()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_checkpoints_and_settings_are_private_in_a_library_too(original: Path) -> None:
    files = [original / "config.yaml", original / "metrics.jsonl", original / "checkpoints"]
    files += [checkpoint_path(original), *checkpoint_path(original).iterdir()]
    assert all(not stat.S_IMODE(path.stat().st_mode) & 0o077 for path in files)
