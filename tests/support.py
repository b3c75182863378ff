"""Models for tests: one that records its requests, and one that fails on demand."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from econ_env.llm import ChatRequest, Completion
from econ_env.llm.simulated.model import SimulatedModel


class RecordingModel:
    """A simulated model under any name, with a log of every request as JSON."""

    context_limit: int | None = None

    def __init__(self, name: str = "simulated:0", log: list[str] | None = None) -> None:
        self.name = name
        self.log: list[str] = [] if log is None else log
        self.calls: list[int] = []
        self._model = SimulatedModel(name if name.startswith("simulated:") else "simulated:0")

    def generate(self, requests: Sequence[ChatRequest]) -> list[Completion]:
        self.calls.append(len(requests))
        self.log.extend(json.dumps(request.to_json(), sort_keys=True) for request in requests)
        return self._model.generate(requests)

    def count_tokens(self, text: str) -> int:
        return self._model.count_tokens(text)

    def close(self) -> None:
        pass


class FlakyModel(RecordingModel):
    """A simulated model whose requests fail if ``fails`` returns True."""

    def __init__(self, fails: Callable[[ChatRequest], bool], name: str = "simulated:0") -> None:
        super().__init__(name)
        self._fails = fails

    def generate(self, requests: Sequence[ChatRequest]) -> list[Completion]:
        completions = super().generate(requests)
        return [
            Completion.failure("the test said so") if self._fails(request) else completion
            for request, completion in zip(requests, completions, strict=True)
        ]
