"""Play an environment, and write everything that it returned, to the last bit.

Run as a script it replays in a process of its own: ``python -m tests.replayed SETTINGS OUT``, with
the settings as JSON. There no library that could run a model can be imported, the bundled weights
are missing, and no server listens.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from econ_env.config import EnvConfig
from econ_env.envs.batched import BatchedEconEnv
from econ_env.envs.parallel import EconParallelEnv

EPISODES = 2


def play_batch(settings: dict[str, Any], *, questions: int) -> str:
    """Return everything that a batched environment returned in a few episodes, a line per event."""
    env = BatchedEconEnv(EnvConfig(**settings), num_questions=questions)
    rng = np.random.default_rng(7)
    lines = []
    try:
        for _ in range(EPISODES):
            lines.append(_line(*env.reset(), env.state()))
            while env.active.any():
                points = _points(rng, 3, questions, 2)
                lines.append(_line(*env.step(dict(zip(env.agents, points, strict=True)))))
                lines.append(_line(env.state()))
            lines += [json.dumps(transcript.to_json()) for transcript in env.transcripts]
    finally:
        env.close()
    return "\n".join(lines)


def play_one(settings: dict[str, Any]) -> str:
    """Return the events of a parallel environment, one per line, with its spending."""
    env = EconParallelEnv(**settings)
    rng = np.random.default_rng(7)
    lines = []
    try:
        for _ in range(EPISODES):
            lines.append(_line(*env.reset(), env.state()))
            while env.agents:
                points = _points(rng, 3, 2)
                lines.append(_line(*env.step(dict(zip(env.agents, points, strict=True)))))
            lines.append(json.dumps(env.transcript.to_json()))
    finally:
        env.close()
    return "\n".join(lines)


def _points(rng: np.random.Generator, *shape: int) -> Any:
    """Return actions with which small models do not write up to their limit."""
    return rng.uniform(-0.45, 0.0, shape).astype(np.float32)


def _line(*returned: Any) -> str:
    return json.dumps([_exact(value) for value in returned])


def _exact(value: Any) -> Any:
    """Return JSON with arrays as bytes and floats as bits."""
    if isinstance(value, dict):
        return {key: _exact(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape} {value.tobytes().hex()}"
    return value.hex() if isinstance(value, float) else value


def main() -> None:
    """Replay in this process, without any model."""
    import econ_env.llm.registry

    for name in ("torch", "transformers", "requests"):
        assert name not in sys.modules
        # What Python does on "import torch" from now on is to raise ImportError.
        sys.modules[name] = None  # type: ignore[assignment]
    econ_env.llm.registry._BUNDLED_WEIGHTS = Path("nowhere")
    asked = json.loads(sys.argv[1])
    questions = asked.pop("questions")
    if "offline_model" in asked:
        from econ_env.llm.api import ApiModel, ApiSettings

        asked["llm"] = ApiModel(asked.pop("offline_model"), ApiSettings(offline=True))
    settings = {**asked, "cache": "replay"}
    text = play_batch(settings, questions=questions) if questions else play_one(settings)
    Path(sys.argv[2]).write_text(text)


if __name__ == "__main__":
    main()
