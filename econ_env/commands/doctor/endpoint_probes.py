"""Probes of the bare fields of a request on a server, independent of its profile."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from difflib import get_close_matches
from typing import Any, Literal, TypeAlias

from econ_env.commands.doctor.effects import Kind as EffectKind
from econ_env.commands.doctor.endpoint import IN_FLIGHT, Answer, Endpoint
from econ_env.commands.doctor.findings import Finding, shortened
from econ_env.commands.doctor.refusals import advice_on
from econ_env.commands.doctor.sampler import (
    MAX_TOKENS,
    PROMPTS,
    CannotMeasureError,
    Question,
    Sampler,
)
from econ_env.llm.api.address import Address
from econ_env.llm.api.errors import Fault, Kind
from econ_env.llm.api.server_key import how_to_give_a_key, key_variable
from econ_env.llm.api.settings import ApiSettings

COLD, HOT = 0.1, 2.0
PENALTIES: Mapping[str, tuple[Any, Any]] = {
    "repetition_penalty": (None, 1.5),
    "repeat_penalty": (None, 1.5),
    "frequency_penalty": (None, 1.5),
    "generation_config": ('{"do_sample":true}', '{"do_sample":true,"repetition_penalty":1.5}'),
}
"""Fields that penalise repetition on some server: a neutral value (None: the field is left out) and
a value that changes most texts."""
FILTERS_OFF = {"top_k": 0, "min_p": 0.0}
NO_MODEL = "econ-env-doctor-asks-for-a-model-that-does-not-exist"
Outcome: TypeAlias = EffectKind | Literal["refused"]
_Fields: TypeAlias = "tuple[tuple[str, Any], ...]"
_CONTEXT_FIELDS = ("max_model_len", "context_length", "context_window", "max_context_length")


class EndpointProbes:
    """The probes of one server.

    Args:
        address: of the model.
        endpoint: the connection.
        settings: of the requests of a game.
        has_key: True if requests carry a key.
        report: called with the number of requests just answered.
    """

    def __init__(
        self,
        address: Address,
        endpoint: Endpoint,
        settings: ApiSettings,
        *,
        has_key: bool,
        report: Callable[[int], object],
    ) -> None:
        self._address = address
        self._endpoint = endpoint
        self._token_field = settings.token_field or address.profile.token_field
        self._has_key = has_key
        self._report = report
        self.penalties: dict[str, Outcome] = {}
        """Effect of each of :data:`PENALTIES`; known after :meth:`fields`."""

    def connect(self) -> Iterator[Finding]:
        """Check the server, its models and a first reply. A PROBLEM here ends the examination."""
        models = self._endpoint.models()
        self._report(1)
        known: list[dict[str, Any]] = [] if isinstance(models, Fault) else models
        if isinstance(models, Fault) and models.kind in (Kind.UNREACHABLE, Kind.KEY):
            yield self._fatal(models, known)
            return
        answer = self._chat(self._plain(PROMPTS[0]))
        if answer.fault is not None:
            yield self._fatal(answer.fault, known)
            return
        yield Finding(topic="server", state="ok", text=f"{self._address.url} answers")
        yield from self._about_models(models)
        said = f'said: "{shortened(answer.texts[0])}"'
        yield Finding(topic="first reply", state="ok", text=said)
        if answer.usage is None:
            yield Finding(
                topic="token counts",
                state="note",
                text="missing in the reply: budgets count estimated tokens",
            )
        else:
            text = f"{answer.usage.prompt_tokens} + {answer.usage.completion_tokens} tokens counted"
            yield Finding(topic="token counts", state="ok", text=text)

    def fields(self) -> Iterator[Finding]:
        """Probe fields: one finding for those that penalise repetition, then further ones."""
        sampler: Sampler[_Fields] = Sampler(self._ask)
        base = self._base()
        cold: _Fields = (*base, ("temperature", COLD))
        words: dict[str, str] = {}
        for name, (neutral, strong) in PENALTIES.items():
            first = cold if neutral is None else (*cold, (name, neutral))
            try:
                effect = sampler.effect(first, (*cold, (name, strong)), large=False)
            except CannotMeasureError as error:
                self.penalties[name], words[name] = "refused", f"refused ({error})"
            else:
                self.penalties[name] = effect.kind
                words[name] = "ignored" if effect.kind == "none" else effect.kind
        yield Finding(
            topic="penalty fields",
            state="ok",
            text="; ".join(f"{name} {outcome}" for name, outcome in words.items()),
        )
        yield from self._filters(sampler, base)
        yield self._n()
        yield self._json_mode()

    # --- connecting ---------------------------------------------------------------------------

    def _about_models(self, models: list[dict[str, Any]] | Fault) -> Iterator[Finding]:
        answer = self._chat({**self._plain(PROMPTS[0]), "model": NO_MODEL})
        if answer.fault is None:
            yield Finding(
                topic="model name",
                state="note",
                text="every name is answered, even one that does not exist",
                advice="check that the server really runs this model",
            )
        else:
            text = f"{self._address.model!r} exists, a made-up name is refused"
            yield Finding(topic="model name", state="ok", text=text)
        listed = [] if isinstance(models, Fault) else models
        entry = next((m for m in listed if m["id"] == self._address.model), None)
        length = _context_length(entry)
        if length is not None:
            text = f"{length} tokens for prompt and reply, according to the list of models"
            yield Finding(topic="context", state="ok", text=text)

    def _fatal(self, fault: Fault, known: Sequence[Mapping[str, Any]]) -> Finding:
        """Return the only finding about a server that cannot be used."""
        address = self._address
        topic, advice = "server", ""
        if fault.kind is Kind.KEY:
            topic = "key"
            advice = (
                f"the server does not accept the key of {key_variable(address)}: correct it"
                if self._has_key
                else f"the server requires a key: {how_to_give_a_key(address)}"
            )
        elif fault.kind is Kind.MODEL:
            topic = "model name"
            names = [str(model["id"]) for model in known]
            close = get_close_matches(address.model, names, n=3, cutoff=0.3) or names[:5]
            advice = f"it has: {', '.join(close)}" if close else "ask the server's owner for names"
        elif fault.kind is Kind.ACCOUNT:
            topic, advice = "account", "check the account's balance or quota"
        elif fault.kind is Kind.ADDRESS:
            end = "" if address.url.endswith("/v1") else f", {address.url}/v1 for example"
            advice = f"no chat endpoint at {address.url}: give the base URL{end}"
        elif fault.kind is Kind.REFUSED:
            advice = (
                advice_on(fault.words, self._plain(""))
                or "it refuses a plain chat request: does this server run a chat model?"
            )
        if "version" in fault.words.lower():
            advice = advice_on(fault.words, ()) or advice
        return Finding(topic=topic, state="PROBLEM", text=fault.words, advice=advice)

    # --- fields -------------------------------------------------------------------------------

    def _base(self) -> _Fields:
        """Return the field for the seed, empty if the server refuses seeds."""
        answer = self._chat({**self._plain(PROMPTS[0]), "temperature": COLD, "seed": 1})
        refused = answer.fault is not None and answer.fault.kind is Kind.REFUSED
        return () if refused else (("seed", None),)

    def _filters(self, sampler: Sampler[_Fields], base: _Fields) -> Iterator[Finding]:
        hot: _Fields = (*base, ("temperature", HOT))
        try:
            effect = sampler.effect(hot, (*hot, *FILTERS_OFF.items()), large=False)
        except CannotMeasureError:
            return  # no such fields, so there is nothing to switch off
        if effect.kind != "works":
            return
        sent = set(FILTERS_OFF) <= set(self._address.profile.extra)
        yield Finding(
            topic="filters",
            state="ok" if sent else "note",
            text="the server cuts rare tokens by its own top-k and min-p, which mutes temperature"
            + ("; every request switches that off" if sent else ""),
            advice=""
            if sent
            else "a name that begins with vllm:, sglang:, llamacpp: or llamacpp_python: switches "
            "them off",
        )

    def _n(self) -> Finding:
        profile = self._address.profile
        body = {**self._plain(PROMPTS[0]), "temperature": 1.0, "n": 2}
        answer = self._chat(body)
        works = answer.fault is None and len(answer.texts) == 2
        counted_on = profile.max_choices > 1
        if works:
            text = "two replies came to one request, as asked"
        elif answer.fault is None:
            text = "ignored: one reply came instead of two"
        else:
            text = f"refused ({shortened(answer.fault.words)})"
        if works or not counted_on:
            return Finding(topic="n", state="ok" if works else "note", text=text)
        return Finding(
            topic="n",
            state="PROBLEM",
            text=text,
            advice=f"names with {profile.name}: rely on it: use the prefix of the server's kind",
        )

    def _json_mode(self) -> Finding:
        prompt = "Tell a story about the sea. Use plain words, and no JSON."
        wanted = {"response_format": {"type": "json_object"}}
        answer = self._chat({**self._plain(prompt), **wanted})
        if answer.fault is not None:
            text = f"refused ({shortened(answer.fault.words)})"
            return Finding(topic="JSON mode", state="note", text=text)
        if _begins_json(answer.texts[0]):
            return Finding(topic="JSON mode", state="ok", text="works")
        return Finding(topic="JSON mode", state="note", text="ignored: the reply was prose")

    # --- requests -----------------------------------------------------------------------------

    def _plain(self, prompt: str) -> dict[str, Any]:
        """Return the smallest chat request."""
        return {
            "model": self._address.model,
            "messages": [{"role": "user", "content": prompt}],
            self._token_field: MAX_TOKENS,
        }

    def _chat(self, body: Mapping[str, Any]) -> Answer:
        answer = self._endpoint.chat(body)
        self._report(1)
        return answer

    def _ask(self, fields: _Fields, questions: Sequence[Question]) -> list[str]:
        bodies = []
        for question in questions:
            body = {**self._plain(question.prompt), **dict(fields)}
            if "seed" in body:
                body["seed"] = question.seed
            bodies.append(body)
        # The first one alone: if the server refuses a field, no others are needed.
        answers = [self._chat(bodies[0])]
        if answers[0].fault is None:
            with ThreadPoolExecutor(IN_FLIGHT) as pool:
                answers += pool.map(self._chat, bodies[1:])
        for answer in answers:
            if answer.fault is not None:
                raise CannotMeasureError(shortened(answer.fault.words))
        return [answer.texts[0] for answer in answers]


def _context_length(entry: Mapping[str, Any] | None) -> int | None:
    """Return the context length of a model, from any of the places where servers list it."""
    if entry is None:
        return None
    meta = entry.get("meta")
    places: list[Any] = [entry.get(name) for name in _CONTEXT_FIELDS]
    if isinstance(meta, dict):
        places += [meta.get("n_ctx"), meta.get("n_ctx_train")]
    return next((value for value in places if isinstance(value, int) and value > 0), None)


def _begins_json(text: str) -> bool:
    """Return True if ``text`` is a JSON object, or the beginning of one that was cut."""
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return text.lstrip().startswith("{")
