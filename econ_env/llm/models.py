"""The models of one environment: those of its team, behind the environment's cache and budget.

A request passes the cache first (``RecordingModel``), then the budget (``LimitedModel``), then
reaches the model. So an answer from the cache costs nothing.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from econ_env.llm.api.address import names_a_server, parse_address
from econ_env.llm.budget.limits import Budget, LimitedModel, Spending
from econ_env.llm.cache.keys import Versioned, content_version, local_version
from econ_env.llm.cache.recording_model import CacheMode, RecordingModel
from econ_env.llm.cache.store import CompletionStore
from econ_env.llm.forwarding import ForwardingModel
from econ_env.llm.in_flight import InFlight, in_flight_of
from econ_env.llm.incremental import streams
from econ_env.llm.local.catalogue import catalogue_model
from econ_env.llm.local.gguf_conversion import CONVERTER
from econ_env.llm.registry import LOCAL, Team, bundled_folder, family_of, runs_here
from econ_env.llm.side_by_side import is_remote
from econ_env.llm.types import ChatModel, Usage
from econ_env.version import __version__


class Models:
    """Every model of a team by its name, with the usage of all of them.

    A model is loaded when it is first needed: with a cache, a model whose answers are all recorded
    is never loaded, and a replay loads none.

    Args:
        team: assigns models to executors and coordinator.
        budget: common budget of all models.
        cache: mode of the cache of completions.
        cache_path: file of the cache; not touched if ``cache`` is ``"off"``.
    """

    def __init__(
        self,
        team: Team,
        budget: Budget,
        *,
        cache: CacheMode,
        cache_path: Path,
    ) -> None:
        self._budget = budget
        self._models: dict[str, ChatModel] = {
            name: LimitedModel(_Named(team, name), budget) for name in team.names
        }
        self._store: CompletionStore | None = None
        self._recorded: list[RecordingModel] = []
        if cache == "off":
            return
        self._store = CompletionStore(cache_path, read_only=cache == "replay")
        for name, model in self._models.items():
            on_server = name not in team.given and names_a_server(name)
            recorded = RecordingModel(
                model,
                self._store,
                cache,
                # A setting of the user's replaces the profile's of the same name.
                settings={**parse_address(name).profile.wire, **team.api.answers}
                if on_server
                else {},
                version=partial(_version, team, name),
                at_hand=name in team.given,
            )
            self._recorded.append(recorded)
            self._models[name] = recorded

    def model(self, name: str) -> ChatModel:
        """Return the model with this name; it is loaded at its first use."""
        return self._models[name]

    def in_flight(self) -> InFlight:
        """Return the requests in flight to all models that tell; any thread may call this."""
        return sum(map(in_flight_of, self._models.values()), InFlight())

    @property
    def usage(self) -> Usage:
        """Usage that models reported, without answers from the cache."""
        return self._budget.usage

    @property
    def usage_from_cache(self) -> Usage:
        """Usage of answers from the cache, as it was recorded."""
        return sum([model.saved for model in self._recorded], Usage())

    @property
    def spending(self) -> Spending:
        """Amounts that count against the budget."""
        return self._budget.spent

    def close(self) -> None:
        """Close the cache's file. Models stay open: they belong to the process or to a user."""
        if self._store is not None:
            self._store.close()


class _Named(ForwardingModel):
    """A model of a team by its name, looked up again at every use and loaded at the first.

    The model behind the name may change: it may be closed, and loaded again, while games go on.
    """

    def __init__(self, team: Team, name: str) -> None:
        super().__init__(name, partial(team.model, name))
        self._team = team

    @property
    def streams(self) -> bool:
        """True if it takes requests while it answers others; known without loading it."""
        if self.name in self._team.given:
            return streams(self._team.given[self.name])
        return runs_here(self.name)

    @property
    def remote(self) -> bool:
        """True if it is on a server; known without loading it."""
        if self.name in self._team.given:
            return is_remote(self._team.given[self.name])
        return names_a_server(self.name)

    def in_flight(self) -> InFlight:
        """Return the requests in flight, if it is loaded and tells; it is not loaded for that."""
        return in_flight_of(self._team.loaded(self.name))

    def close(self) -> None:
        """Do nothing: the model belongs to the process or to a user."""


def _version(team: Team, name: str) -> str:
    """Return everything a model's answers depend on besides name, settings and request."""
    if name in team.given:
        model = team.given[name]
        return model.version if isinstance(model, Versioned) else ""
    if names_a_server(name):
        return ""
    if name.startswith(LOCAL):
        return f"{catalogue_model(name.removeprefix(LOCAL)).sha256} {CONVERTER}"
    if name.startswith("hf:"):
        path = name.removeprefix("hf:")
        if not local_version(path):
            # Not on this machine yet: loading downloads it.
            team.model(name)
        return local_version(path)
    if family_of(name) == "bundled":
        return f"{__version__} {content_version(bundled_folder(name))}"
    return __version__
