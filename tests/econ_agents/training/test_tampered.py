"""Tampered checkpoints: each is refused by a CheckpointError that names it, or does no harm."""

from __future__ import annotations

import copy
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from econ_agents.algorithm.builders import build_teams, commitment_columns
from econ_agents.algorithm.learner import NonFiniteLoss
from econ_agents.commands.cli import main
from econ_agents.config.schema import Config
from econ_agents.environments import Teams
from econ_agents.evaluation.evaluate import live_options, load_networks
from econ_agents.seeds import numpy_generator
from econ_agents.training.checkpoint import (
    Checkpoint,
    CheckpointError,
    latest_checkpoint,
    load_checkpoint,
    seal,
    sha256,
    unseal,
)
from econ_agents.training.checkpoint_state import restoring
from econ_agents.training.early_stopping import build_stopping
from econ_agents.training.inspection import (
    describe_checkpoint,
    find_checkpoint,
    nothing_learned,
    stored_config,
)
from econ_agents.training.run import TrainingRun, last_logged_step
from econ_agents.training.trainer import Trainer
from tests.econ_agents.small_runs import checkpoint_path, small_config, train

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links, pipes and devices of POSIX")

GROUPS = ("networks", "targets", "weighting", "optimiser", "buffer", "memory")
FILES = ("state.json", *(f"{group}.safetensors" for group in GROUPS))
SETTINGS = ("train.episodes=20", "reward.dynamic=true", "early_stopping.enabled=true")

Tamper = Callable[[Path], None]
"""Changes the checkpoint in a folder."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("run"), *SETTINGS)


@pytest.fixture(scope="module")
def config() -> Config:
    return small_config(*SETTINGS)


@pytest.fixture(scope="module")
def teams(config: Config) -> Iterator[Teams]:
    made = build_teams(config, "test")
    yield made
    made.close()


@pytest.fixture(scope="module")
def trainer(config: Config) -> Iterator[Trainer]:
    made = build_teams(config, "train")
    yield Trainer(config, made)
    made.close()


# Changes of files


def replaced(name: str, make: Callable[[Path], object]) -> Tamper:
    """Put something else in the place of a file."""

    def tamper(folder: Path) -> None:
        (folder / name).unlink()
        make(folder / name)

    return tamper


def rewritten(name: str, change: Callable[[bytes], bytes]) -> Tamper:
    """Change the bytes of a file, but no checksum."""
    return lambda folder: void((folder / name).write_bytes(change((folder / name).read_bytes())))


def void(_: object) -> None:
    """Drop a result."""


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**40)


IN_PLACE_OF_A_FILE: dict[str, Callable[[Path], object]] = {
    "nothing": lambda path: None,
    "a link to /dev/zero": lambda path: path.symlink_to("/dev/zero"),
    "a link to /dev/stdin": lambda path: path.symlink_to("/dev/stdin"),
    "a link to a file": lambda path: path.symlink_to("/etc/hostname"),
    "a link to a folder": lambda path: path.symlink_to("/etc"),
    "a link to itself": lambda path: path.symlink_to(path),
    "a link to nothing": lambda path: path.symlink_to("/nowhere"),
    "a pipe": lambda path: os.mkfifo(path),
    "a folder": lambda path: path.mkdir(),
    "an empty file": lambda path: path.touch(),
    "a huge file": sparse,
}
OTHER_BYTES: dict[str, Callable[[bytes], bytes]] = {
    "half": lambda data: data[: len(data) // 2],
    "more": lambda data: data + b"\0",
    "a flipped bit": lambda data: data[:-3] + bytes([data[-3] ^ 1]) + data[-2:],
    "noise": lambda data: np.random.default_rng(0).bytes(len(data)),
}


# Changes of the state, sealed again


def resealed(change: Callable[[dict[str, Any]], None]) -> Tamper:
    """Change ``state.json`` and correct its checksum."""

    def tamper(folder: Path) -> None:
        document = unseal((folder / "state.json").read_bytes())
        change(document)
        (folder / "state.json").write_bytes(seal(document))

    return tamper


def put(path: str, value: object) -> Tamper:
    """Set a value in the state; its name has dots between its parts."""

    def change(document: dict[str, Any]) -> None:
        *parts, last = path.split("/")
        place = document
        for part in parts:
            place = place[part]
        place[last] = value

    return resealed(change)


def dropped(path: str) -> Tamper:
    def change(document: dict[str, Any]) -> None:
        *parts, last = path.split("/")
        place = document
        for part in parts:
            place = place[part]
        del place[last]

    return resealed(change)


def raw(old: bytes, new: bytes) -> Tamper:
    """Replace a text in ``state.json``, and seal the result as it is, valid JSON or not."""

    def tamper(folder: Path) -> None:
        file = folder / "state.json"
        data = file.read_bytes()
        digest = data[13 : 13 + 64]
        assert old in data
        blank = data.replace(digest, b"0" * 64, 1).replace(old, new, 1)
        file.write_bytes(blank.replace(b"0" * 64, sha256(blank).encode(), 1))

    return tamper


COUNTS = ("episodes", "failed", "updates", "evaluated", "deviated", "best", "pending", "stopping")
STATE = (*(f"state/{name}" for name in (*COUNTS, "optimiser", "config")), "serial", "files")
VALUES: tuple[object, ...] = (None, "text", -1, 2**70, True, [[1]], {"a": "b"})
RAW: dict[str, tuple[bytes, bytes]] = {
    "NaN": (b'"episodes": 20', b'"episodes": NaN'),
    "infinity": (b'"episodes": 20', b'"episodes": Infinity'),
    "a float beyond all": (b'"episodes": 20', b'"episodes": 1e999'),
    "many digits": (b'"episodes": 20', b'"episodes": ' + b"9" * 10_000),
    "deep lists": (b'"episodes": 20', b'"episodes": ' + b"[" * 100_000 + b"]" * 100_000),
    "quite deep lists": (b'"episodes": 20', b'"episodes": ' + b"[" * 300 + b"]" * 300),
    "deep mappings": (b'"episodes": 20', b'"episodes": ' + b'{"a":' * 400 + b"1" + b"}" * 400),
    "half a character": (b'"episodes": 20', b'"note": "\\ud800", "episodes": 20'),
    "a byte that is no text": (b'"episodes": 20', b'"note": "\xff", "episodes": 20'),
    "no JSON": (b'"episodes": 20', b'"episodes": 20,,'),
    "another version": (b'"version": 1', b'"version": 2'),
    "no version": (b'"version": 1', b'"nothing": 1'),
}
CONFIGURED: dict[str, object] = {
    "env/factory": "subprocess:Popen",
    "env/kwargs": {"args": "touch /tmp/never"},
    "belief_dim": 10**12,
    "network/hidden": 10**12,
    "network/blocks": 10**12,
    "network/heads": 10**9,
    "memory/length": 10**9,
    "n_agents": "3",
    "test/streams": 10**9,
    "train/in_flight": 10**9,
    "update_interval": 10**9,
    "experiment_name": None,
    "bne": [],
    "no_such_key": 1,
    "reward/ts_floor": 2,
    "reward/initial_weights": {"ts": 1, "al": 1, "cc": 1},
    "seed": -1,
}
DIVERGING: tuple[tuple[str, object], ...] = (
    *((setting, True) for setting in ("amsgrad", "capturable", "maximize", "differentiable")),
    *(("betas", pair) for pair in ([1.5, 0.9], [0.9, 1.5], [1.0, 0.9], [0.9, 10**400])),
    *((setting, 10**400) for setting in ("lr", "eps", "weight_decay")),
)
"""Settings of the optimiser under which no update succeeds, or another one than that of the run."""


# Changes of arrays, sealed again


def repacked(group: str, change: Callable[[bytes], bytes]) -> Tamper:
    """Change the bytes of a file of arrays, and correct its size and checksums."""

    def tamper(folder: Path) -> None:
        file = folder / f"{group}.safetensors"
        data = change(file.read_bytes())
        file.write_bytes(data)
        entry = {"sha256": sha256(data), "bytes": len(data)}
        put(f"files/{file.name}", entry)(folder)

    return tamper


def arrays(group: str, change: Callable[[dict[str, torch.Tensor]], object]) -> Tamper:
    """Change the tensors of a group in place."""

    def packed(data: bytes) -> bytes:
        tensors = safetensors.torch.load(data)
        change(tensors)
        return safetensors.torch.save({k: t.contiguous().clone() for k, t in tensors.items()})

    return repacked(group, packed)


def all_as(change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[dict[str, Any]], object]:
    return lambda tensors: tensors.update({name: change(t) for name, t in tensors.items()})


def filled(value: float) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda t: torch.full_like(t, value) if t.is_floating_point() else t


def header(text: bytes, payload: bytes = b"") -> bytes:
    return len(text).to_bytes(8, "little") + text + payload


def one(kind: str, shape: list[int], size: int) -> bytes:
    described = {"w": {"dtype": kind, "shape": shape, "data_offsets": [0, size]}}
    return header(json.dumps(described).encode(), bytes(min(size, 64)))


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "no bytes": lambda data: b"",
    "a header without end": lambda data: (2**63).to_bytes(8, "little") + data[8:],
    "a long header": lambda data: header(b"{" + b" " * 5_000_000 + b"}"),
    "a header that is no JSON": lambda data: header(b"{" * 64),
    "a deep header": lambda data: header(b'{"a":' * 5_000 + b"1" + b"}" * 5_000),
    "a header of many": lambda data: header(b'{"__metadata__":{"a":"b"}}'),
    "an unknown type": lambda data: one("X7", [4], 16),
    "a type that torch lacks": lambda data: one("F8_E8M0", [4], 4),
    "a shape beyond all": lambda data: one("F32", [2**62, 2**62], 16),
    "a shape without its bytes": lambda data: one("F32", [10**9], 4 * 10**9),
    "a negative shape": lambda data: one("F32", [-4], 16),
    "a negative place": lambda data: header(
        b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}', bytes(4)
    ),
}
CHANGED: dict[str, Callable[[dict[str, torch.Tensor]], object]] = {
    "no arrays": lambda tensors: tensors.clear(),
    "one array less": lambda tensors: tensors.pop(min(tensors)),
    "one array more": lambda tensors: tensors.update(more=torch.zeros(2)),
    "float64": all_as(lambda t: t.double()),
    "float16": all_as(lambda t: t.half()),
    "complex": all_as(lambda t: t.to(torch.complex64)),
    "whole numbers": all_as(lambda t: t.to(torch.int64)),
    "flags": all_as(lambda t: t.bool()),
    "one dimension more": all_as(lambda t: t[None]),
    "flat": all_as(lambda t: t.reshape(-1)),
    "scalars": all_as(lambda t: t.reshape(-1)[0] if t.numel() else t),
    "empty": all_as(lambda t: t[:0] if t.ndim else t),
    "twice as long": all_as(lambda t: torch.cat([t, t]) if t.ndim else t),
    "NaN": all_as(filled(float("nan"))),
    "infinity": all_as(filled(float("inf"))),
    "the largest number": all_as(filled(3e38)),
    "negative": all_as(lambda t: t if t.dtype == torch.bool else -t - 1),
    "other names": lambda tensors: tensors.update(
        {f"x.{name}": tensors.pop(name) for name in list(tensors)}
    ),
}


def cases() -> Iterator[tuple[str, Tamper]]:
    """Every way in which a checkpoint is tampered with, with its name."""
    for name in FILES:  # the first file of arrays stands for all, which have one reader
        is_first = name in FILES[:2]
        for what in tuple(IN_PLACE_OF_A_FILE) if is_first else ("nothing", "a link to /dev/zero"):
            yield f"{name}: {what}", replaced(name, IN_PLACE_OF_A_FILE[what])
        for what in tuple(OTHER_BYTES) if is_first else ("a flipped bit",):
            yield f"{name}: {what}", rewritten(name, OTHER_BYTES[what])
    for path in STATE:
        yield f"{path}: dropped", dropped(path)
        for value in VALUES:
            yield f"{path}: {value!r}", put(path, value)
    for what, (old, new) in RAW.items():
        yield f"state.json: {what}", raw(old, new)
    for key, value in CONFIGURED.items():
        yield f"config: {key} = {value!r}", put(f"state/config/{key}", value)
    for group in GROUPS:
        yield f"{group}: not listed", dropped(f"files/{group}.safetensors")
        for entry in ("bytes", "sha256"):
            for value in (None, -1, 2**62):
                yield (
                    f"{group}: {entry} {value!r}",
                    put(f"files/{group}.safetensors/{entry}", value),
                )
        for what, change_arrays in CHANGED.items():
            yield f"{group}: {what}", arrays(group, change_arrays)
    for group in ("networks", "buffer"):
        for what, change in PACKED.items():
            yield f"{group}: {what}", repacked(group, change)
    for listed in ("../networks.safetensors", "/etc/hostname", "x/y.safetensors", "a.txt", ""):
        entry_of = {"sha256": "0" * 64, "bytes": 1}
        yield f"listed: {listed!r}", put_listed(listed, entry_of)
    for place in ("groups", "values"):
        for value in VALUES:
            yield f"optimiser/{place}: {value!r}", put(f"state/optimiser/{place}", value)
    for setting in ("lr", "betas", "eps", "params", "fused", "x"):
        for value in VALUES:
            yield f"group/{setting}: {value!r}", in_group(setting, value)


def put_listed(name: str, entry: dict[str, object]) -> Tamper:
    return resealed(lambda document: document["files"].update({name: entry}))


def in_group(setting: str, value: object) -> Tamper:
    return resealed(
        lambda document: document["state"]["optimiser"]["groups"][0].update({setting: value})
    )


CASES = dict(cases())


def uses(
    folder: Path, config: Config, teams: Teams, trainer: Trainer
) -> Iterator[tuple[str, Callable[[], object]]]:
    """Everything that is done with a checkpoint of somebody else."""

    def resume() -> None:
        checkpoint = load_checkpoint(folder)
        trainer.restore(checkpoint)
        stopping = build_stopping(config, teams.space)
        assert stopping is not None
        with restoring(checkpoint, "state.json"):
            stopping.restore(checkpoint.state["stopping"])
        no_log: Any = None
        TrainingRun(config, folder, trainer, stopping, no_log, None).restore(checkpoint)
        last_logged_step(checkpoint)
        learner = copy.deepcopy(trainer.learner)
        if len(trainer.buffer):
            learner.update(trainer.buffer.sample(4, numpy_generator(0, "tampered")))

    yield "find", lambda: find_checkpoint(folder)
    yield "latest", lambda: latest_checkpoint(folder.parent)
    yield "load", lambda: load_checkpoint(folder)
    yield "describe", lambda: describe_checkpoint(folder).encode()
    yield "configure", lambda: stored_config(folder)
    yield "act", lambda: load_networks(config, folder, teams.space)
    yield "weigh", lambda: live_options(config, folder)
    yield "resume", resume


@pytest.mark.parametrize("case", CASES)
def test_a_tampered_checkpoint_is_refused_or_harmless(
    case: str, run: Path, tmp_path: Path, config: Config, teams: Teams, trainer: Trainer
) -> None:
    folder = Path(shutil.copytree(checkpoint_path(run), tmp_path / "final"))
    CASES[case](folder)
    for name, use in uses(folder, config, teams, trainer):
        said = refusal(use)
        assert said is None or str(tmp_path) in said, name
        if name == "load" and said is not None:
            return  # everything below loads it first


def refusal(use: Callable[[], object]) -> str | None:
    """Text of the CheckpointError by which a use ends; None if it ends well.

    Numbers that are finite but huge may make training diverge, which has an error of its own.
    """
    try:
        use()
    except CheckpointError as error:
        return str(error)
    except NonFiniteLoss:
        return None
    return None


@pytest.mark.parametrize(
    "values", [{"0": {"exp_avg": 1}}, {"0": {"more": 1}}, {"9999": {"exp_avg": 1}}], ids=str
)
def test_values_beside_the_moments_of_adam_are_refused(
    values: object, run: Path, tmp_path: Path, trainer: Trainer
) -> None:
    folder = Path(shutil.copytree(checkpoint_path(run), tmp_path / "final"))
    put("state/optimiser/values", values)(folder)
    with pytest.raises(CheckpointError, match="Adam keeps tensors only"):
        trainer.restore(load_checkpoint(folder))


@pytest.mark.parametrize(("setting", "value"), DIVERGING)
def test_an_optimiser_that_works_in_another_way_is_refused(
    setting: str, value: object, run: Path, tmp_path: Path, trainer: Trainer
) -> None:
    folder = Path(shutil.copytree(checkpoint_path(run), tmp_path / "final"))
    in_group(setting, value)(folder)
    with pytest.raises(CheckpointError, match=f"it has {setting} = "):
        trainer.restore(load_checkpoint(folder))


def test_a_description_shows_control_characters_as_escapes(run: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(checkpoint_path(run), tmp_path / "final"))
    lines = describe_checkpoint(folder).count("\n")
    put("state/note\x1b[31m\n", "fine\x1b[1A\x1b[2K\n  episodes 999\u202e\x07")(folder)
    put("state/config/env/kwargs/\x1b[2J", "\x9b\r\n  seed 7")(folder)
    said = describe_checkpoint(folder)
    assert said.count("\n") == lines + 2
    assert said.replace("\n", "").isprintable()
    assert r"fine\x1b[1A\x1b[2K\n  episodes 999\u202e\x07" in said


def with_commitments(last: torch.Tensor) -> Callable[[dict[str, torch.Tensor]], object]:
    return lambda tensors: tensors.update(last_commitments=last)


def test_commitments_on_another_number_of_questions_are_refused(
    run: Path, tmp_path: Path, trainer: Trainer
) -> None:
    columns = commitment_columns(trainer.teams.space)
    assert columns is not None
    size = columns.stop - columns.start
    probed = trainer.config.early_stopping.probe_questions
    for rows in (0, 1, probed - 1, probed, probed + 1):
        folder = Path(shutil.copytree(checkpoint_path(run), tmp_path / f"rows_{rows}"))
        arrays("memory", with_commitments(torch.zeros(rows, size)))(folder)
        said = refusal(partial(trainer.restore, load_checkpoint(folder)))
        if rows == probed:
            assert said is None
        else:
            assert said is not None
            assert "last_commitments has the type" in said


def test_there_are_many_cases_and_a_sound_checkpoint_passes(
    run: Path, config: Config, teams: Teams, trainer: Trainer
) -> None:
    assert len(CASES) > 400
    for _, use in uses(checkpoint_path(run), config, teams, trainer):
        use()


SAMPLE = [case for number, case in enumerate(CASES) if number % 41 == 0]


@pytest.mark.parametrize("case", SAMPLE)
@pytest.mark.parametrize("command", ["inspect", "test"])
def test_a_command_ends_with_one_line(
    case: str, command: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(checkpoint_path(run), tmp_path / "final"))
    CASES[case](folder)
    few = ["--episodes", "4", "--test.streams", "4"] if command == "test" else []
    code = main([command, "--model-dir", str(folder), *few])
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert code in (0, 2)
    if code == 2:
        assert said.startswith(f"econ-agents {command}: ")
        assert str(tmp_path) in said


@pytest.mark.parametrize(
    "flags", [["test", "--episodes", "4", "--test.streams", "4"], ["play", "--questions", "1"]]
)
def test_a_checkpoint_that_does_not_count_its_updates_is_refused_in_one_line(
    flags: list[str], run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(checkpoint_path(run), tmp_path / "final"))
    dropped("state/updates")(folder)
    assert main([*flags, "--model-dir", str(folder)]) == 2
    assert "'updates' must be a whole number" in capsys.readouterr().err


@pytest.mark.parametrize("value", [*VALUES, 1.5], ids=str)
@pytest.mark.parametrize("name", ["updates", "episodes", "failed"])
def test_what_was_learned_is_not_told_from_counts_that_are_none(
    name: str, value: object, config: Config, tmp_path: Path
) -> None:
    counts = {"updates": 0, "episodes": 20, "failed": 1}
    sound = Checkpoint(path=tmp_path, arrays={}, state=counts, checksum="")
    said = nothing_learned(config, sound)
    assert said is not None
    assert "after 20 episodes, of which 1 failed" in said
    assert nothing_learned(config, replace(sound, state={"updates": 1})) is None
    with pytest.raises(CheckpointError, match=f"'{name}' must be a whole number"):
        nothing_learned(config, replace(sound, state={**counts, name: value}))


@pytest.mark.parametrize(
    "key",
    [
        *("memory/length", "test/streams", "belief_dim", "network/blocks", "n_agents"),
        *("env/kwargs/n_agents", "env/test_kwargs/n_agents"),
    ],
)
def test_sizes_beyond_all_take_no_memory(
    key: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(checkpoint_path(run), tmp_path / "final"))
    put(f"state/config/{key}", 10**9)(folder)
    assert main(["test", "--model-dir", str(folder), "--episodes", "4"]) == 2
    assert str(folder) in capsys.readouterr().err
