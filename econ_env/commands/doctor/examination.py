"""All probes of one model in order, and the advice that follows from them."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any

from econ_env.commands.doctor import game_probe
from econ_env.commands.doctor.findings import Finding
from econ_env.commands.doctor.game_probe import GameProbe
from econ_env.commands.doctor.model_probes import REQUESTS, ModelProbes
from econ_env.commands.doctor.sampler import MAX_TOKENS
from econ_env.config import EnvConfig
from econ_env.llm.api.address import Address, names_a_server, parse_address
from econ_env.llm.api.body import request_body
from econ_env.llm.api.client import ApiModel
from econ_env.llm.api.errors import UnsupportedSetting
from econ_env.llm.api.server_key import key_of
from econ_env.llm.api.settings import ApiSettings, SecondAction
from econ_env.llm.registry import shared_model
from econ_env.llm.types import ChatModel, ChatRequest, ModelError

PROMPT_TOKENS = 30
"""Approximate tokens of a prompt with its chat template."""
SERVER_REQUESTS = 90
"""Approximate requests of the probes of a server's fields, beside those of its model."""
REQUEST_BUDGET_S, CONNECT_TIMEOUT_S = 180.0, 10.0
"""Limits of a request: long enough for a thought of thousands of tokens."""

Report = Callable[[int], object]


class Examination:
    """The examination of one model.

    Args:
        name: a resolved name of a model.
        second_action: parameter that the second half of an action becomes on a server.
        config: a game with this model: its prompts, limits, bounds and settings of requests.

    Raises:
        ModelError: the name is wrong, or a key is missing.
    """

    def __init__(self, name: str, second_action: SecondAction, config: EnvConfig) -> None:
        self.name = name
        self._bounds = config.bounds()
        self._prompts = config.prompt_set()
        self._settings = replace(
            config.api_settings(),
            second_action=second_action,
            request_budget_s=REQUEST_BUDGET_S,
            connect_timeout_s=CONNECT_TIMEOUT_S,
        )
        self._served = names_a_server(name)
        self.requests = REQUESTS + game_probe.REQUESTS
        """Approximate number of requests, if every result is clear at once."""
        if name.startswith("simulated:"):
            self.requests = 0
        elif self._served:
            self.requests += SERVER_REQUESTS

    @property
    def tokens(self) -> int:
        """Approximate tokens of all requests, prompts and replies together."""
        return self.requests * (PROMPT_TOKENS + MAX_TOKENS)

    def run(self, report: Report) -> Generator[Finding, None, None]:
        """Yield the findings. ``report`` is called with the number of requests just answered."""
        if self._served:
            yield from self._served_model(report)
        elif self.requests:
            model = shared_model(self.name)
            probes = ModelProbes(model, bounds=self._bounds, second_action=True, report=report)
            yield from probes.run()
            if not probes.refused:
                yield from self._game_probe(model, report).run()
        else:
            text = "answers in this process by formulas; there is nothing to measure"
            yield Finding(topic="simulated", state="ok", text=text)

    def _game_probe(
        self,
        model: ChatModel,
        report: Report,
        *,
        sent: Collection[str] = (),
        remake: Callable[[Mapping[str, Any]], ChatModel] | None = None,
    ) -> GameProbe:
        return GameProbe(
            model,
            self._prompts,
            temperature=self._bounds.temperature_min,
            sent=sent,
            remake=remake,
            report=report,
        )

    def _served_model(self, report: Report) -> Generator[Finding, None, None]:
        # Imported here, because they load the HTTP library.
        from econ_env.commands.doctor.endpoint import Endpoint
        from econ_env.commands.doctor.endpoint_probes import EndpointProbes

        address = parse_address(self.name)
        settings = self._settings
        refusal = None
        try:
            model = ApiModel(self.name, settings)
        except UnsupportedSetting as error:
            refusal = Finding(topic="second action", state="PROBLEM", text=str(error))
            settings = replace(settings, second_action="none")
            model = ApiModel(self.name, settings)
        key = key_of(address)
        endpoint = Endpoint(address.url, key, settings)
        sent = fields_sent(address, settings)
        with closing(model), closing(endpoint):
            server = EndpointProbes(
                address, endpoint, settings, has_key=key is not None, report=report
            )
            for finding in server.connect():
                yield finding
                if finding.state == "PROBLEM":
                    return
            if refusal is not None:
                yield refusal
            acts = settings.second_action != "none"
            probes = ModelProbes(
                model, bounds=self._bounds, second_action=acts, sent=sent, report=report
            )

            def remade(extra: Mapping[str, Any]) -> ApiModel:
                body = {**settings.extra_body, **extra}
                return ApiModel(self.name, replace(settings, extra_body=body))

            try:
                yield from probes.run()
                if not probes.refused:
                    yield from self._game_probe(model, report, sent=sent, remake=remade).run()
            except ModelError as error:
                yield Finding(topic="model", state="PROBLEM", text=str(error))
                return
            yield from server.fields()
            if refusal is not None or probes.refused or probes.penalty_works is False:
                yield _what_to_set(address, server.penalties, self._settings.second_action)


def fields_sent(address: Address, settings: ApiSettings) -> frozenset[str]:
    """Return the names of the fields of a request to this server."""
    request = ChatRequest(
        messages=(), temperature=0.0, max_tokens=1, seed=0, model=address.name, role="execute"
    )
    body = request_body(request, model="", profile=address.profile, settings=settings)
    return frozenset(json.loads(body))


def _what_to_set(
    address: Address, penalties: Mapping[str, str], second_action: SecondAction
) -> Finding:
    """Advise how to get a working second action, from the effect of each field."""
    works = {name for name, outcome in penalties.items() if outcome == "works"}
    for field, kinds in (
        ("repetition_penalty", ("vllm", "sglang", "together", "litellm")),
        ("repeat_penalty", ("llamacpp", "llamacpp_python")),
        ("generation_config", ("transformers",)),
    ):
        if field in works and address.profile.name not in kinds:
            name = f"{kinds[0]}:{address.model}@{address.url}"
            return _set(f"this server obeys {field}", f'use the name "{name}", which sends it')
    if "frequency_penalty" in works and second_action != "frequency_penalty":
        return _set(
            "this server obeys frequency_penalty",
            'set second_action="frequency_penalty" (--second-action frequency_penalty)',
        )
    return _set(
        "this server obeys no penalty on repetition that was tried",
        'set second_action="none" (--second-action none): agents choose the temperature alone',
    )


def _set(text: str, advice: str) -> Finding:
    return Finding(topic="what to set", state="note", text=text, advice=advice)
