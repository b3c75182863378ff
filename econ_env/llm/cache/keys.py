"""Keys of the cache of completions: equal calls of a model have equal keys.

The key of a request is the SHA-256 of everything that its answer depends on:

- the whole request: messages, temperature, repetition penalty, top_p, max_tokens, seed, role and
  the model's name. The name also identifies the server: ``openai:MODEL@URL``;
- for a model on a server: the settings that change the request on its way (``second_action``), and
  the fields that the server's profile adds;
- for a model in this process, its version. Simulated models: the release of econ_env. Bundled
  models: the release and a digest of their files. ``hf:`` models: the commit on the hub, or the
  names, sizes and times of the folder's files (or of the GGUF file). ``local:`` models: the SHA-256
  of the published file;
- for a model object: its name, and its ``version`` if it has one (:class:`Versioned`).

Keys of servers, limits, time-outs and concurrency are not part of it, because they change no
answer. Nor is the processor: a recorded answer is valid even on a machine that rounds differently.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from econ_env.llm.types import ChatRequest, Message

KEY_FORMAT = 1
"""Part of every key; increase it when keys are formed differently."""


def canonical_json(data: Any) -> str:
    """Return ``data`` as canonical JSON: sorted keys, no spaces, ASCII. Equal data, equal text."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)


def request_json(request: ChatRequest) -> str:
    """Return the request as canonical JSON; equal numbers give equal text (0 and 0.0)."""
    data = request.to_json()
    for name in ("temperature", "repetition_penalty", "top_p"):
        data[name] = float(data[name])
    return canonical_json(data)


def model_key(name: str, settings: Mapping[str, Any] | str, version: str) -> str:
    """Return the hexadecimal SHA-256 of a model's identity: name, settings and version.

    Args:
        name: of the model, as requests name it.
        settings: settings that change its answers, as plain data or as canonical JSON.
        version: anything else that changes its answers; "" if nothing does.
    """
    if not isinstance(settings, str):
        settings = canonical_json(settings)
    return _digest(canonical_json([KEY_FORMAT, name, settings, version]))


def request_key(model: str, request: str) -> str:
    """Return the hexadecimal SHA-256 of a :func:`request_json` for a :func:`model_key`."""
    return _digest(f"{model}\n{request}")


def text_key(text: str) -> str:
    """Return the hexadecimal SHA-256 of a text."""
    return _digest(canonical_json(text))


def question_start(messages: tuple[Message, ...], length: int = 80) -> str:
    """Return the beginning of the last message, on one line, for people to recognise a request."""
    words = " ".join(messages[-1].content.split()) if messages else ""
    return words if len(words) <= length else words[:length] + "..."


@runtime_checkable
class Versioned(Protocol):
    """A model that identifies everything its answers depend on besides its name and the request."""

    @property
    def version(self) -> str:
        """Equal if answers are equal; contains no secrets."""
        ...


def local_version(path: str) -> str:
    """Return a version of the weights of a folder, a GGUF file or a hub id.

    For a folder or a file it is a digest of names, sizes and times (contents are not read: they may
    have many gigabytes); for a hub id, the commit of the copy on this machine, or "" without one.
    """
    folder = Path(path).expanduser()
    if folder.exists():
        files = _files(folder) if folder.is_dir() else [(folder.name, folder)]
        stats = [(name, file.stat()) for name, file in files]
        return _digest(canonical_json([(name, s.st_size, s.st_mtime_ns) for name, s in stats]))
    from huggingface_hub import try_to_load_from_cache

    config = try_to_load_from_cache(path, "config.json")
    return Path(config).parent.name if isinstance(config, str) else ""


@lru_cache(maxsize=16)
def content_version(folder: Path) -> str:
    """Return a digest of the names and contents of the files in a small model's folder."""
    whole = [(name, hashlib.sha256(file.read_bytes()).hexdigest()) for name, file in _files(folder)]
    return _digest(canonical_json(whole))


def _files(folder: Path) -> list[tuple[str, Path]]:
    """Return every file below a folder with its relative path, in a fixed order."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return sorted((path.relative_to(folder).as_posix(), path) for path in files)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("ascii", "backslashreplace")).hexdigest()
