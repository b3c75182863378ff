"""A checkpoint is whole or refused, and whatever happens while saving, a whole one is there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from econ_agents.training import checkpoint as module
from econ_agents.training.checkpoint import (
    CheckpointError,
    keep_last,
    latest_checkpoint,
    load_checkpoint,
    periodic_name,
    save_checkpoint,
    seal,
    unseal,
)


def save(folder: Path, name: str, value: int) -> Path:
    """A checkpoint that says ``value`` in each of its files."""
    return save_checkpoint(
        folder,
        name,
        {
            "networks": {"weight": torch.full((3, 2), float(value))},
            "buffer": {"rewards": np.full(4, value, np.float32)},
        },
        {"value": value},
    )


def value_of(path: Path) -> int:
    """Files of :func:`save`; fails where those of a checkpoint do not belong together."""
    loaded = load_checkpoint(path)
    value: int = loaded.state["value"]
    assert (loaded.arrays["networks"]["weight"] == value).all()
    assert (loaded.arrays["buffer"]["rewards"] == value).all()
    return value


def latest_of(folder: Path) -> int:
    path = latest_checkpoint(folder)
    assert path is not None
    return value_of(path)


def reseal(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Edit ``state.json`` so that its checksum is right again, as only a program would."""
    file = path / "state.json"
    document = unseal(file.read_bytes())
    change(document)
    file.write_bytes(seal(document))


def test_what_is_loaded_equals_what_was_saved_bit_for_bit(tmp_path: Path) -> None:
    shared = torch.randn(4, 6, generator=torch.Generator().manual_seed(1))
    tensors = {
        "plain": shared,
        "shared": shared,
        "transposed": shared.T,
        "with_gradient": shared.clone().requires_grad_(),
        "scalar": torch.tensor(3, dtype=torch.int64),
        "empty": torch.zeros(0, 5),
        "flags": torch.tensor([True, False]),
    }
    arrays = {"float64": np.array([np.pi, -0.0, np.inf]), "bytes": np.arange(5, dtype=np.uint8)}
    state = {"episodes": 7, "alpha": [0.1, 1 / 3], "big": 2**127 + 1, "note": "ä\n", "none": None}
    path = save_checkpoint(tmp_path, "final", {"networks": tensors, "buffer": arrays}, state)
    loaded = load_checkpoint(path)
    assert loaded.state == state
    assert loaded.arrays["networks"].keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(loaded.arrays["networks"][name], tensor)
        assert loaded.arrays["networks"][name].dtype == tensor.dtype
    for name, array in arrays.items():
        assert loaded.arrays["buffer"][name].numpy().tobytes() == array.tobytes()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["final"]


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    one, two = save(tmp_path / "one", "final", 1), save(tmp_path / "two", "final", 1)
    for file in one.iterdir():
        assert file.read_bytes() == (two / file.name).read_bytes()


def test_the_latest_is_the_one_saved_last_whatever_its_name(tmp_path: Path) -> None:
    assert latest_checkpoint(tmp_path / "nowhere") is None
    for value, name in enumerate(["final", periodic_name(9), "best", periodic_name(10), "best"]):
        save(tmp_path, name, value)
        assert latest_of(tmp_path) == value


def test_only_old_periodic_checkpoints_are_removed(tmp_path: Path) -> None:
    for episode in (5, 999_998, 1_000_000):
        save(tmp_path, periodic_name(episode), 1)
    save(tmp_path, "best", 1)
    save(tmp_path, "final", 1)
    assert keep_last(tmp_path, 2) == ["episode_000005"]
    assert keep_last(tmp_path, 1) == ["episode_999998"]
    assert keep_last(tmp_path, 1) == []
    names = sorted(entry.name for entry in tmp_path.iterdir())
    assert names == ["best", "episode_1000000", "final"]
    with pytest.raises(ValueError, match="at least one"):
        keep_last(tmp_path, 0)


def test_what_a_run_saves_after_going_back_outlives_what_lay_ahead(tmp_path: Path) -> None:
    for episode in (100, 200, 300):
        save(tmp_path, periodic_name(episode), episode)
    damaged = save(tmp_path, periodic_name(400), 400)
    (damaged / "state.json").write_bytes(b"")
    save(tmp_path, periodic_name(150), 150)
    assert keep_last(tmp_path, 1) == [
        "episode_000400",
        "episode_000100",
        "episode_000200",
        "episode_000300",
    ]
    assert latest_of(tmp_path) == 150


@pytest.mark.slow
def test_a_flipped_bit_anywhere_is_found(tmp_path: Path) -> None:
    path = save(tmp_path, "final", 3)
    for file in sorted(path.iterdir()):
        data = file.read_bytes()
        for position in range(len(data)):
            flipped = bytearray(data)
            flipped[position] ^= 1 << position % 8
            file.write_bytes(flipped)
            with pytest.raises(CheckpointError, match=file.name):
                load_checkpoint(path)
        file.write_bytes(data)
    assert value_of(path) == 3


def test_a_file_that_is_cut_longer_or_missing_is_found(tmp_path: Path) -> None:
    path = save(tmp_path, "final", 3)
    for file in sorted(path.iterdir()):
        data = file.read_bytes()
        for damaged in (b"", data[:1], data[:-1], data + b"\0"):
            file.write_bytes(damaged)
            with pytest.raises(CheckpointError, match=file.name):
                load_checkpoint(path)
        file.unlink()
        with pytest.raises(CheckpointError, match=f"{file.name} cannot be read"):
            load_checkpoint(path)
        file.write_bytes(data)


def test_files_of_two_checkpoints_do_not_pass_as_one(tmp_path: Path) -> None:
    one, two = save(tmp_path, "best", 1), save(tmp_path, "final", 2)
    (one / "networks.safetensors").replace(two / "networks.safetensors")
    with pytest.raises(CheckpointError, match=r"networks\.safetensors is damaged"):
        load_checkpoint(two)


def test_instead_of_a_damaged_one_the_last_whole_one_is_offered(tmp_path: Path) -> None:
    save(tmp_path, periodic_name(100), 1)
    whole = save(tmp_path, periodic_name(200), 2)
    also_damaged = save(tmp_path, periodic_name(300), 3)
    damaged = save(tmp_path, periodic_name(400), 4)
    (also_damaged / "buffer.safetensors").write_bytes(b"")
    (damaged / "networks.safetensors").unlink()
    with pytest.raises(CheckpointError, match=rf"latest intact .*: {whole}$"):
        load_checkpoint(damaged)
    with pytest.raises(CheckpointError, match=rf"latest intact .*: {whole}$"):
        load_checkpoint(tmp_path / "never_saved")


def test_a_checkpoint_that_may_be_the_latest_is_not_skipped(tmp_path: Path) -> None:
    whole = save(tmp_path, periodic_name(100), 1)
    (save(tmp_path, "final", 2) / "state.json").write_bytes(b"{}")
    with pytest.raises(CheckpointError, match=rf"final/state\.json is damaged.*intact.*: {whole}$"):
        latest_checkpoint(tmp_path)


def test_other_folders_there_are_no_checkpoints_and_stay(tmp_path: Path) -> None:
    (tmp_path / "tensorboard").mkdir()
    (tmp_path / ".hidden.old").mkdir()
    (tmp_path / ".hidden.old" / "file").touch()
    (tmp_path / ".metrics.jsonl.new").touch()
    assert latest_checkpoint(tmp_path) is None
    save(tmp_path, "final", 1)
    assert latest_of(tmp_path) == 1
    assert (tmp_path / "tensorboard").is_dir()
    assert (tmp_path / ".hidden.old" / "file").exists()
    assert (tmp_path / ".metrics.jsonl.new").exists()


def test_without_any_other_the_error_says_so(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=rf"No checkpoint in {tmp_path} is intact"):
        load_checkpoint(tmp_path / "final")


def test_a_checkpoint_is_found_from_within(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(save(tmp_path, "final", 1))
    assert value_of(Path()) == 1


def test_another_format_version_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path, "final", 1)
    reseal(path, lambda document: document.update(version=2))
    with pytest.raises(CheckpointError, match="format version 2"):
        load_checkpoint(path)


@pytest.mark.parametrize("name", ["../x.safetensors", "/etc/passwd", "a/b.safetensors", "x.pt"])
def test_no_file_outside_the_checkpoint_is_read(tmp_path: Path, name: str) -> None:
    path = save(tmp_path, "final", 1)

    def rename(document: dict[str, Any]) -> None:
        document["files"] = {name: document["files"]["buffer.safetensors"]}

    reseal(path, rename)
    with pytest.raises(CheckpointError, match="not allowed"):
        load_checkpoint(path)


@pytest.mark.parametrize("part", ["version", "serial", "files", "state"])
@pytest.mark.parametrize("other", [[1], None, "x"])
def test_a_state_file_of_another_layout_is_refused(
    tmp_path: Path, part: str, other: object
) -> None:
    path = save(tmp_path, "final", 1)
    reseal(path, lambda document: document.update({part: other}))
    with pytest.raises(CheckpointError, match=r"state\.json"):
        load_checkpoint(path)


@pytest.mark.parametrize("name", ["", "..", "a/b", ".x", "Final", "x.old", "a" * 65])
def test_names_that_are_paths_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a checkpoint"):
        save_checkpoint(tmp_path, name, {}, {})
    with pytest.raises(ValueError, match="cannot name a checkpoint"):
        save_checkpoint(tmp_path, "final", {name: {}}, {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object()])
def test_a_state_without_json_form_is_refused_and_changes_nothing(
    tmp_path: Path, value: object
) -> None:
    save(tmp_path, "final", 1)
    with pytest.raises(ValueError, match="has no JSON form"):
        save_checkpoint(tmp_path, "final", {}, {"best": value})
    assert latest_of(tmp_path) == 1


def test_too_large_a_file_is_neither_written_nor_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path, "final", 1)
    for limit, file in (("MAX_STATE_BYTES", "state.json"), ("MAX_FILE_BYTES", "safetensors")):
        with monkeypatch.context() as patch:
            patch.setattr(module, limit, 10)
            with pytest.raises(CheckpointError, match=file):
                load_checkpoint(path)
            with pytest.raises(ValueError, match="at most 10 are allowed"):
                save(tmp_path, "final", 2)
    assert value_of(path) == 1


class Crash(Exception):
    """The program ends here."""


def crash_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Let the ``step``-th change of the disk from now on not happen, nor any after it."""
    left = [step]

    def guarded(change: Callable[..., Any]) -> Callable[..., Any]:
        def do(*args: Any, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise Crash
            return change(*args, **kwargs)

        return do

    for name in ("mkdir", "open", "rename", "unlink", "rmdir"):
        monkeypatch.setattr(Path, name, guarded(getattr(Path, name)))
    for name in ("fsync", "unlink", "rmdir"):
        monkeypatch.setattr(f"os.{name}", guarded(getattr(os, name)))


def test_a_save_that_ends_at_any_step_leaves_a_whole_checkpoint(tmp_path: Path) -> None:
    completed = False
    step = 0
    while not completed:
        folder = tmp_path / str(step)
        save(folder, "final", 1)
        with pytest.MonkeyPatch.context() as patch:
            crash_at(patch, step)
            try:
                save(folder, "final", 2)
                completed = True
            except Crash:
                pass
        assert latest_of(folder) in (1, 2)
        assert value_of(folder / "final") in (1, 2)
        save(folder, "final", 3)
        assert latest_of(folder) == 3
        assert [entry.name for entry in folder.iterdir()] == ["final"]
        step += 1
    assert step > 12


def test_a_removal_that_ends_at_any_step_leaves_no_part(tmp_path: Path) -> None:
    completed = False
    step = 0
    while not completed:
        folder = tmp_path / str(step)
        save(folder, periodic_name(1), 1)
        save(folder, periodic_name(2), 2)
        with pytest.MonkeyPatch.context() as patch:
            crash_at(patch, step)
            try:
                keep_last(folder, 1)
                completed = True
            except Crash:
                pass
        assert latest_of(folder) == 2
        if (folder / periodic_name(1)).exists():
            assert value_of(folder / periodic_name(1)) == 1
        save(folder, periodic_name(3), 3)
        assert all(not entry.name.startswith(".") for entry in folder.iterdir())
        step += 1
    assert step > 3


KILLED = """
import os, random, signal, sys, time
from pathlib import Path
from econ_agents.training.checkpoint import keep_last, latest_checkpoint, periodic_name
from tests.econ_agents.training.test_checkpoint import latest_of, save

folder = Path(sys.argv[1])
moments = random.Random(0)
save(folder, "final", 0)
reading, writing = os.pipe()
for trial in range(12):
    before = latest_of(folder)
    child = os.fork()
    if child == 0:
        for value in range(before + 1, before + 10_000):
            save(folder, "final", value)
            os.write(writing, b".")
            save(folder, periodic_name(value), value)
            keep_last(folder, 2)
        os._exit(0)
    if trial == 0:
        os.read(reading, 1)  # however slow the machine is, something is saved once
    time.sleep(moments.uniform(0.002, 0.04))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert latest_of(folder) >= before
print(latest_of(folder))
"""


@pytest.mark.slow
def test_a_process_killed_at_random_moments_leaves_a_whole_checkpoint(
    tmp_path: Path, repository: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0
