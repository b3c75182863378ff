"""Starts servers of others with a bundled checkpoint, where they are installed.

Each is found by an environment variable, or else where an ordinary installation puts it:

- ``ECON_LLAMA_SERVER``: the program ``llama-server`` of llama.cpp; else on the PATH.
- ``ECON_LLAMA_CPP_PYTHON``: a Python with ``llama-cpp-python[server]``; else this one.
- ``ECON_TRANSFORMERS_PYTHON``: a Python with ``transformers[serving]``; else this one.
- ``ECON_XLLAMACPP_PYTHON``: a Python with ``xllamacpp``, which is llama.cpp; else this one.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import requests

from tests.econ_env.llm.api.gguf import write_gguf

START_TIMEOUT_S = 240.0
"""A busy machine takes most of a minute to import transformers."""
SLOTS = 4


@dataclass(frozen=True, kw_only=True)
class RealServer:
    """A server that runs."""

    kind: str
    """Its profile: that of ``xllamacpp`` is llamacpp."""
    model: str
    """Its name for the checkpoint."""
    url: str
    process: subprocess.Popen[bytes] = field(repr=False)

    def name(self, profile: str | None = None) -> str:
        """The string that names its model, under its own profile or another."""
        return f"{profile or self.kind}:{self.model}@{self.url}"


def find_program(kind: str) -> tuple[list[str] | None, str]:
    """The beginning of the command that starts a kind of server, and how to install it.

    None stands for a server that is not installed.
    """
    if kind == "llamacpp":
        program = os.environ.get("ECON_LLAMA_SERVER") or shutil.which("llama-server")
        hint = "llama-server is not on the PATH and ECON_LLAMA_SERVER is not set"
        return ([program] if program else None), hint
    variable, modules, run = {
        "llamacpp_python": (
            "ECON_LLAMA_CPP_PYTHON",
            ("llama_cpp", "uvicorn", "fastapi"),
            ["-m", "llama_cpp.server"],
        ),
        "transformers": (
            "ECON_TRANSFORMERS_PYTHON",
            ("transformers", "uvicorn", "fastapi", "openai"),
            ["-m", "transformers.cli.transformers", "serve"],
        ),
        "xllamacpp": (
            "ECON_XLLAMACPP_PYTHON",
            ("xllamacpp",),
            [str(Path(__file__).with_name("xllamacpp_server.py"))],
        ),
    }[kind]
    python = os.environ.get(variable)
    if not python and all(find_spec(module) is not None for module in modules):
        python = sys.executable
    hint = f"{', '.join(modules)} are not installed and {variable} is not set"
    return ([python, *run] if python else None), hint


@contextmanager
def running(
    kind: str, program: Sequence[str], checkpoint: Path, folder: Path, port: int = 0
) -> Iterator[RealServer]:
    """The server of this kind, with a bundled checkpoint, until the block ends.

    ``folder`` receives its model file and what it prints. For other kinds than transformers,
    ``checkpoint`` may also be a GGUF file, which is then served as it is, as "public". It listens
    at ``port``; 0: at a free one.
    """
    if port == 0:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
    model, file = str(checkpoint), checkpoint
    if checkpoint.suffix == ".gguf":
        model = "public"
    elif kind != "transformers":
        model, file = "bundled", folder / "model.gguf"
        write_gguf(checkpoint, file)
    # One thread: threads that wait for each other crawl on a busy machine.
    options = {
        "transformers": [model, "--device", "cpu", "--dtype", "float32", "--host", "127.0.0.1"],
        "llamacpp": [
            *("--model", str(file), "--alias", model, "--host", "127.0.0.1"),
            *("--ctx-size", str(1024 * SLOTS), "--parallel", str(SLOTS)),
            *("--threads", "1", "--threads-batch", "1"),
        ],
        "llamacpp_python": [
            *("--model", str(file), "--model_alias", model),
            *("--host", "127.0.0.1", "--n_ctx", "1024"),
            *("--n_threads", "1", "--n_threads_batch", "1"),
        ],
        "xllamacpp": [str(file), "--alias", model, "--slots", str(SLOTS)],
    }[kind]
    log = folder / "server.log"
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*program, *options, "--port", str(port)],
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_for(process, f"{url}/v1/models", log)
        profile = "llamacpp" if kind == "xllamacpp" else kind
        yield RealServer(kind=profile, model=model, url=f"{url}/v1", process=process)
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Wait until something answers at ``url``; an error says so too (of transformers it does)."""
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline_s and process.poll() is None:
        # 503: llama-server is still loading the model.
        if _status(url) not in (None, 503):
            return
        time.sleep(0.1)
    raise RuntimeError(f"the server did not start:\n{log.read_text(errors='replace')[-3000:]}")


def _status(url: str) -> int | None:
    """HTTP status of ``url``; None if nothing listens there."""
    try:
        return requests.get(url, timeout=30).status_code
    except requests.ConnectionError:
        return None
