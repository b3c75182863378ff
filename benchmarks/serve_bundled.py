"""Serve the bundled models over HTTP, as a provider of the OpenAI chat protocol would.

    python benchmarks/serve_bundled.py --port 8765
    econ-env play --llm vllm:bundled:0@http://127.0.0.1:8765/v1 --prompts compact

Use it to try features that need a model server. It listens on this machine only, takes no key, and
follows each request's temperature, top_p, repetition_penalty, seed, n and max_tokens.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

# Run as a script, Python looks for modules beside this file only.
sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.serving.server import BundledServer

PORT = 8765


@dataclass(frozen=True, kw_only=True)
class Flags:
    """Serve the bundled models over HTTP on this machine, until Ctrl-C."""

    port: int = PORT
    """Port at 127.0.0.1; 0 takes a free one."""


def main(flags: Flags) -> int:
    """Serve until Ctrl-C; the exit code is 130 then, 2 if the port cannot be used."""
    try:
        server = BundledServer(flags.port)
    except (OSError, OverflowError) as error:
        print(f"serve_bundled: port {flags.port} cannot be used: {error}", file=sys.stderr)
        return 2
    print(f"{', '.join(server.models)} at {server.url}; Ctrl-C ends it", flush=True)
    try:
        server.run()
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Flags)))
