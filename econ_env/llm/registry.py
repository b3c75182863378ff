"""Registry of the names in ``llm=``: it assigns models to a team.

Names are checked at once, and models are built when they are first asked: an environment can be
constructed, copied to another process and forked before any weights are read. A model given by
its name is shared by all environments of the process.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeAlias

from econ_env.llm.api import ApiModel, ApiSettings
from econ_env.llm.api.address import names_a_server, parse_address
from econ_env.llm.api.body import check_supported
from econ_env.llm.api.profiles import PROFILES
from econ_env.llm.local.catalogue import CATALOGUE, catalogue_model, fetched_file
from econ_env.llm.types import ChatModel, ModelError

ModelSpec: TypeAlias = str | ChatModel
"""One model: its name, or the object itself."""

Family = Literal["bundled", "simulated", "catalogue", "instruct"]
"""Kind of a model: small ones that know compact texts (bundled, simulated), the public ones of the
catalogue, and any other one that follows instructions."""

NUM_BUNDLED = 3
NUM_SIMULATED = 3
BUNDLED_COORDINATOR = "bundled:coordinator"
SIMULATED_COORDINATOR = "simulated:coordinator"
LOCAL = "local:"
"""Prefix of the names of catalogue models."""

ACCEPTED_NAMES = """\
  "bundled"        three small models that ship with this package, dealt out in turn:
                   executor i gets number i mod 3, and "bundled:coordinator" coordinates
  "bundled:K"      one of them, K = 0, 1 or 2, for every role
  "bundled:coordinator"
                   a fourth one, which only plans and commits
  "simulated"      simulated skill profiles, dealt out in the same way
  "simulated:K"    one of them, K = 0, 1 or 2
  "local:NAME"     a public model of the catalogue, run in this process: `econ-env models`
  "hf:PATH_OR_ID"  a causal language model with a chat template, run in this process: a folder,
                   a GGUF file, or an id of the Hugging Face hub
  "together:MODEL" a model at Together (key: TOGETHER_API_KEY)
  "openai:MODEL"   a model at OpenAI (key: OPENAI_API_KEY)
  "openai:MODEL@http://host:port/v1"
                   a model on any server that speaks the OpenAI protocol; with a prefix that knows
                   the server better: "vllm:", "sglang:", "llamacpp:", "llamacpp_python:",
                   "ollama:", "transformers:" or "litellm:"
  "vllm:MODEL@http://a:8000/v1,http://b:8000/v1"
                   the same model on several servers, between which requests are shared
  a ChatModel      any object with name, context_limit, generate, count_tokens and close
  a list of these  one per executor; anything else is one model for all roles"""

_BUNDLED_WEIGHTS = Path(__file__).parent / "bundled" / "weights"
_FAMILIES = ("bundled:", "simulated:")
"""Beginnings of names whose members are few: who has one wrong is shown them all."""
_OF_OPENAI = re.compile(r"(chatgpt|gpt-[0-9]|o[0-9])[\w.-]*")
_NUMBERED = re.compile(r"(bundled|simulated):([0-9]+)")

# The process id is part of the key because threads do not survive a fork, so a child process
# builds its own models. Settings are part of it for models on servers; other models have none.
_shared: dict[tuple[int, str, ApiSettings | None], ChatModel] = {}


@dataclass(frozen=True, kw_only=True)
class Team:
    """The models of a team: names for the executors and for the coordinator."""

    executors: tuple[str, ...]
    """Name of executor i's model, at position i."""
    coordinator: str
    given: Mapping[str, ChatModel] = field(default_factory=lambda: MappingProxyType({}))
    """Models given as objects, by name. They belong to the caller."""
    api: ApiSettings = field(default_factory=ApiSettings)
    """Settings of models on servers, except for models given as objects."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all models of the team, each once, the coordinator's first."""
        return tuple(dict.fromkeys((self.coordinator, *self.executors)))

    @property
    def families(self) -> frozenset[Family]:
        """The kinds of models in the team."""
        return frozenset(map(self.family, self.names))

    def family(self, name: str) -> Family:
        """The kind of one of its models; an object follows instructions."""
        return "instruct" if name in self.given else family_of(name)

    def model(self, name: str) -> ChatModel:
        """Return the model with this name; it is built if this process has not used it yet.

        Raises:
            ModelError: it cannot be loaded.
        """
        if name in self.given:
            return self.given[name]
        return shared_model(name, self.api)

    def loaded(self, name: str) -> ChatModel | None:
        """Return the model with this name if it is built already."""
        return self.given[name] if name in self.given else _shared.get(_key(name, self.api))


def resolve_models(
    llm: ModelSpec | Sequence[ModelSpec],
    n_agents: int,
    coordinator: ModelSpec | None = None,
    *,
    api: ApiSettings | None = None,
) -> Team:
    """Assign models to ``n_agents`` executors and a coordinator. Loads nothing.

    Args:
        llm: one model for all roles, ``"bundled"`` or ``"simulated"`` to deal out that family in
            turn, or a list with one model per executor, in which these two words stand for the
            model of the family that is dealt to that position.
        n_agents: number of executors, at least 1.
        coordinator: the coordinator's model. None: ``simulated:coordinator`` if the first executor
            is simulated, ``bundled:coordinator`` if it was dealt from ``"bundled"``, else the first
            executor's model.
        api: settings of models on servers.

    Raises:
        ModelError: a name is unknown, a list has the wrong length, two models share a name, or a
            server cannot do what ``api`` asks for.
    """
    api = ApiSettings() if api is None else api
    if isinstance(llm, (str, ChatModel)):
        specs = [_dealt(llm, index) for index in range(n_agents)]
    elif isinstance(llm, Sequence):
        specs = [_dealt(spec, index) for index, spec in enumerate(llm)]
        if len(specs) != n_agents:
            raise ModelError(
                f"llm lists {len(specs)} models for {n_agents} executors: "
                f"give one per executor, or set n_agents={len(specs)}"
            )
    else:
        raise _unknown(llm)
    if coordinator is None:
        coordinator = _default_coordinator(llm if isinstance(llm, (str, ChatModel)) else llm[0])
    executors = tuple([_name_of(spec, api) for spec in specs])
    given: dict[str, ChatModel] = {}
    for spec in (*specs, coordinator):
        if not isinstance(spec, str) and given.setdefault(spec.name, spec) is not spec:
            raise ModelError(
                f"two different model objects are called {spec.name!r}: "
                "requests are routed by name, so give each its own"
            )
    for spec in (*specs, coordinator):
        if isinstance(spec, str) and _name_of(spec, api) in given:
            raise ModelError(
                f"{spec!r} is both a model's name and a model object's: rename the object, "
                "or pass it everywhere"
            )
    return Team(
        executors=executors,
        coordinator=_name_of(coordinator, api),
        given=MappingProxyType(given),
        api=api,
    )


def family_of(name: str) -> Family:
    """Return the kind of prompts that the model with this resolved name understands."""
    if name.startswith("bundled:"):
        return "bundled"
    if name.startswith("simulated:"):
        return "simulated"
    return "catalogue" if name.startswith(LOCAL) else "instruct"


def runs_here(name: str) -> bool:
    """Return True if the model with this resolved name follows instructions, in this process."""
    return family_of(name) in ("catalogue", "instruct") and not names_a_server(name)


def bundled_folder(name: str) -> Path:
    """Return the folder with the files of the bundled model with this resolved name.

    Raises:
        ModelError: they are missing.
    """
    path = _BUNDLED_WEIGHTS / name.removeprefix("bundled:")
    if not path.is_dir():
        raise ModelError(f"{name!r}: its weights are missing from {path}: reinstall econ_env")
    return path


def shared_model(name: str, api: ApiSettings | None = None) -> ChatModel:
    """Return the process-wide model with this resolved name, built at its first use.

    Args:
        name: of the model.
        api: settings for a model on a server; other settings give another client.

    Raises:
        ModelError: it cannot be loaded.
    """
    key = _key(name, api)
    model = _shared.get(key)
    if model is None:
        built = _build(*key[1:])
        # Another thread may have been faster: all threads share the first model built.
        model = _shared.setdefault(key, built)
        if model is not built:
            built.close()
    return model


def _key(name: str, api: ApiSettings | None) -> tuple[int, str, ApiSettings | None]:
    """Return the key of a model in ``_shared``."""
    settings = (ApiSettings() if api is None else api) if names_a_server(name) else None
    return os.getpid(), name, settings


def close_shared_models() -> None:
    """Close every model that this process has loaded by name. The next use loads it again."""
    for key in [key for key in _shared if key[0] == os.getpid()]:
        _shared.pop(key).close()


def _dealt(spec: ModelSpec, index: int) -> ModelSpec:
    """Return the family member that executor ``index`` is dealt, or the model ``spec`` itself."""
    if spec == "bundled":
        return f"bundled:{index % NUM_BUNDLED}"
    if spec == "simulated":
        return f"simulated:{index % NUM_SIMULATED}"
    return spec


def _default_coordinator(first: ModelSpec) -> ModelSpec:
    """Return the default coordinator for the first executor's entry in ``llm``.

    A whole family brings its own coordinator; a single model does every role itself.
    """
    if first == "bundled":
        return BUNDLED_COORDINATOR
    if isinstance(first, str) and first.startswith("simulated"):
        return SIMULATED_COORDINATOR
    return first


def _name_of(spec: ModelSpec, api: ApiSettings) -> str:
    """Return the resolved and checked name of one model."""
    if isinstance(spec, str):
        name = {"bundled": BUNDLED_COORDINATOR, "simulated": "simulated:0"}.get(spec, spec)
        _check_name(name, api)
        return name
    if isinstance(spec, ChatModel):
        return spec.name
    raise _unknown(spec)


def _check_name(name: str, api: ApiSettings) -> None:
    if names_a_server(name):
        check_supported(name, parse_address(name).profile, api)
        return
    if name.startswith(LOCAL) and len(name) > len(LOCAL):
        catalogue_model(name.removeprefix(LOCAL))
        return
    numbered = _NUMBERED.fullmatch(name)
    if numbered:
        count = NUM_BUNDLED if numbered[1] == "bundled" else NUM_SIMULATED
        if int(numbered[2]) < count:
            return
    elif name in (BUNDLED_COORDINATOR, SIMULATED_COORDINATOR) or (
        name.startswith("hf:") and len(name) > len("hf:")
    ):
        return
    raise _unknown(name)


def _unknown(spec: object) -> ModelError:
    near = _nearest(spec) if isinstance(spec, str) else None
    hint = "" if near is None else f" Did you mean {near!r}?"
    if hint and not str(spec).startswith(_FAMILIES):
        return ModelError(f"unknown model {spec!r}.{hint}")
    return ModelError(f"unknown model {spec!r}.{hint} Accepted are:\n{ACCEPTED_NAMES}")


def _nearest(name: str) -> str | None:
    """Return the accepted name, or the name with an accepted prefix, that is spelled most alike."""
    whole = ["bundled", "simulated", BUNDLED_COORDINATOR, SIMULATED_COORDINATOR]
    near = get_close_matches(name, whole, n=1, cutoff=0.8)
    if near:
        return near[0]
    public = get_close_matches(name.lower(), list(CATALOGUE), n=1, cutoff=0.7)
    if public:
        return f"{LOCAL}{public[0]}"
    if (name and Path(name).expanduser().is_dir()) or name.lower().endswith(".gguf"):
        return f"hf:{name}"
    if _OF_OPENAI.match(name):
        return f"openai:{name}"
    prefix, colon, rest = name.partition(":")
    if "/" in prefix:
        return f"hf:{name}"
    prefixes = ["hf", LOCAL.removesuffix(":"), *PROFILES]
    near = get_close_matches(prefix.lower(), prefixes, n=1) if colon and rest else []
    return f"{near[0]}:{rest}" if near else None


def _build(name: str, settings: ApiSettings | None) -> ChatModel:
    """Build the model with this resolved name; heavy imports happen only here."""
    if settings is not None:
        return ApiModel(name, settings)
    family = family_of(name)
    if family == "simulated":
        from econ_env.llm.simulated.model import SimulatedModel

        return SimulatedModel(name=name)

    from econ_env.llm.local.model import LocalModel

    if name.startswith(LOCAL):
        return LocalModel(str(fetched_file(name.removeprefix(LOCAL))), name=name)
    if family == "instruct":
        return LocalModel(name.removeprefix("hf:"), name=name)
    path = bundled_folder(name)
    # Always on the CPU: they are too small to gain from a GPU, and another device rounds
    # differently, so the same seed would play another game there.
    return LocalModel(str(path), name=name, device="cpu")
