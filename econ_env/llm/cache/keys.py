"""What makes two calls of a model the same call, for the cache of completions.

The key of a request is the SHA-256 of everything that its answer depends on:

- the whole request: messages, temperature, repetition penalty, top_p, max_tokens, seed, role and
  the model's name. The name says which server is asked, too: ``openai:MODEL@URL``;
- of models behind a server the settings that change what is sent for it (``second_action``), and
  what the server's profile adds to it;
- the version of a model that runs in this process: the release of econ_env for the simulated
  ones, that and a digest of their files for the bundled ones, of ``hf:`` ones the commit on the
  hub, or the names, sizes and times of the folder's files (or of the GGUF file); of ``local:``
  ones the SHA-256 of the published file;
- of a model object its name, and its ``version`` if it has one (:class:`Versioned`).

Not in it are keys of servers, limits, time-outs and concurrency, which change no answer, nor the
processor: a recorded answer stands, also where the machine would round another way.
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
"""Part of every key: another way to form keys gets another number."""


def canonical_json(data: Any) -> str:
    """``data`` as the one JSON text that equal data have: sorted keys, no spaces, ASCII."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)


def request_json(request: ChatRequest) -> str:
    """The request as canonical JSON; numbers that are equal look the same (0 and 0.0)."""
    data = request.to_json()
    for name in ("temperature", "repetition_penalty", "top_p"):
        data[name] = float(data[name])
    return canonical_json(data)


def model_key(name: str, settings: Mapping[str, Any] | str, version: str) -> str:
    """Hexadecimal SHA-256 of what a model's answers depend on besides the request.

    Args:
        name: of the model, as requests name it.
        settings: that change its answers, as plain data or already as canonical JSON.
        version: what else changes them; "" if nothing does.
    """
    if not isinstance(settings, str):
        settings = canonical_json(settings)
    return _digest(canonical_json([KEY_FORMAT, name, settings, version]))


def request_key(model: str, request: str) -> str:
    """Hexadecimal SHA-256 of a :func:`request_json` asked of a :func:`model_key`."""
    return _digest(f"{model}\n{request}")


def text_key(text: str) -> str:
    """Hexadecimal SHA-256 of a text."""
    return _digest(canonical_json(text))


def question_start(messages: tuple[Message, ...], length: int = 80) -> str:
    """How the last message begins, in one line: what people recognise a request by."""
    words = " ".join(messages[-1].content.split()) if messages else ""
    return words if len(words) <= length else words[:length] + "..."


@runtime_checkable
class Versioned(Protocol):
    """A model that says what its answers depend on besides its name and the request."""

    @property
    def version(self) -> str:
        """Equal for equal answers; without secrets."""
        ...


def local_version(path: str) -> str:
    """What tells the weights of a folder, a GGUF file or a hub id from others of that name.

    Of a folder a digest of the names, sizes and times of its files (contents are not read: they
    may have many gigabytes), of a file the same; of a hub id the commit of the copy on this
    machine, "" without one.
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
    """A digest of the names and contents of the files of a small model's folder."""
    whole = [(name, hashlib.sha256(file.read_bytes()).hexdigest()) for name, file in _files(folder)]
    return _digest(canonical_json(whole))


def _files(folder: Path) -> list[tuple[str, Path]]:
    """Every file below a folder with its name there, in a fixed order."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return sorted((path.relative_to(folder).as_posix(), path) for path in files)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("ascii", "backslashreplace")).hexdigest()
