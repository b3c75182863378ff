"""A team as a model of lm-evaluation-harness: every request is a question, which it answers once.

>>> lm_eval.simple_evaluate(EconLM(llm="together:..."), tasks=["gsm8k"], num_fewshot=0)
"""

from __future__ import annotations

from contextlib import closing
from typing import Any, NoReturn

import numpy as np
from lm_eval.api.instance import Instance
from lm_eval.api.model import LM
from lm_eval.api.registry import register_model

from econ_env.config import EnvConfig
from econ_env.envs.batched import batched_parallel_env
from econ_env.llm.types import ModelError
from econ_env.sampling_action import SamplingAction


@register_model("econ")
class EconLM(LM):  # type: ignore[misc]  # lm-eval is not installed where types are checked
    """A strategy, the executors' responses and a commitment for every request.

    The team sees the text of a request. Its ``until`` and sampling settings are not passed on.

    Args:
        temperature: sampling temperature of the executors, >= 0.
        repetition_penalty: of the executors, > 0.
        batch_size: number of questions that are played side by side, >= 1.
        answer: text of an output, where ``{reason}`` and ``{value}`` stand for the commitment's;
            the filters of gsm8k read the default. A team without a value answers nothing.
        settings: those of :class:`~econ_env.config.EnvConfig`, whose bounds must contain
            ``temperature`` and ``repetition_penalty``.
    """

    def __init__(
        self,
        temperature: float = 0.7,
        repetition_penalty: float = 1.0,
        batch_size: int = 16,
        answer: str = "{reason}\n#### {value}",
        **settings: Any,
    ) -> None:
        super().__init__()
        action = SamplingAction(temperature=temperature, repetition_penalty=repetition_penalty)
        # Requests bring the questions, and nobody looks at observations.
        self._config = EnvConfig(dataset="simulated", embedder="hashing", **settings)
        if not self._config.bounds().contains(action):
            raise ValueError(f"{action} is outside of {self._config.bounds()}")
        self._point = self._config.bounds().normalise(action)
        self._batch_size, self._answer = int(batch_size), answer

    def generate_until(self, requests: list[Instance], **_: Any) -> list[str]:
        """Play a game for every request; :class:`ModelError` if one has no result."""
        played: list[str] = []
        for start in range(0, len(requests), self._batch_size):
            batch = requests[start : start + self._batch_size]
            texts = [request.args[0] for request in batch]
            with closing(batched_parallel_env(len(batch), **vars(self._config))) as env:
                env.reset(seed=self._config.seed + start, options={"question": texts})
                while env.agents:
                    env.step({agent: np.tile(self._point, (len(batch), 1)) for agent in env.agents})
                records = [env.transcript(index) for index in range(len(batch))]
            for text, request, record in zip(texts, batch, records, strict=True):
                if record.failed is not None:
                    raise ModelError(f"no result for {text[:200]!r}: {record.failed}")
                last = [each for one in record.rounds() for each in one.commitments][-1]
                said = self._answer.replace("{reason}", last.reason)
                played.append("" if last.value is None else said.replace("{value}", last.value))
                self.cache_hook.add_partial("generate_until", request.args, played[-1])
        return played

    def loglikelihood(self, requests: list[Instance], **_: Any) -> NoReturn:
        """Raise ``NotImplementedError``: a team has no likelihoods."""
        raise NotImplementedError("a team answers, and has no likelihoods: take a generative task")

    loglikelihood_rolling = loglikelihood
