"""Build the method that a spec describes; all methods share models, cache and budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from benchmarks.comparison.econ import Econ
from benchmarks.comparison.econ_policy import Steering
from benchmarks.comparison.method import Method
from benchmarks.comparison.prompted import PromptedMethod
from benchmarks.comparison.specs import (
    EconSpec,
    EconUntrainedSpec,
    FirstRoundVoteSpec,
    Spec,
    SpecError,
    build_prompted,
)
from econ_env.config import EnvConfig
from econ_env.errors import UsageError
from econ_env.llm.budget.prices import Price, find_prices, read_prices
from econ_env.llm.models import Models
from econ_env.llm.types import ModelError


class Workshop:
    """Builder of methods: one for each spec and run seed.

    Args:
        config: settings of the game.
        models: the models that answer; the caller closes them.
        steering: function that returns the steering of an ECON team for a spec and a run seed.
        in_flight: questions that are answered side by side.
    """

    def __init__(
        self,
        config: EnvConfig,
        models: Models,
        *,
        steering: Callable[[EconUntrainedSpec, int], Steering],
        in_flight: int,
    ) -> None:
        self._config = config
        self._models = models
        self._steering = steering
        self._in_flight = in_flight
        self._prices = known_prices(config)

    def method(self, spec: Spec, seed: int) -> Method:
        """Return the method of ``spec`` for the run ``seed``.

        Raises:
            ValueError: the spec does not suit the models or the settings.
            CheckpointError: the trained team is damaged or does not fit.
        """
        if isinstance(spec, FirstRoundVoteSpec):
            raise TypeError(f"{spec.canonical} is made of the records of {spec.of}")
        if isinstance(spec, EconUntrainedSpec):
            return Econ(
                spec,
                self._config,
                self._steering(spec, seed),
                models=self._models,
                prices=self._prices,
                in_flight=self._in_flight,
            )
        prompted = build_prompted(spec, self._config, self._models)
        return PromptedMethod(prompted, self._models, self._prices, in_flight=self._in_flight)

    def check(self, specs: Sequence[Spec], seeds: Sequence[int]) -> None:
        """Build every method once, so that errors come before anything is asked.

        Raises:
            UsageError: a spec does not suit the models or the settings.
            CheckpointError: a trained team is damaged or does not fit.
        """
        for spec in specs:
            if not isinstance(spec, FirstRoundVoteSpec):
                for seed in seeds if isinstance(spec, EconSpec) else seeds[:1]:
                    self._check(spec, seed)

    def _check(self, spec: Spec, seed: int) -> None:
        try:
            self.method(spec, seed)
        except SpecError as error:
            raise UsageError(f"--methods: {error}") from error
        except ValueError as error:
            raise UsageError(f"{spec.canonical}: {error}") from error


def known_prices(config: EnvConfig) -> Mapping[str, Price]:
    """Return the price of every model of the team whose price is known."""
    team = config.team()
    given = read_prices(config.prices or {})

    def known(name: str) -> dict[str, Price]:
        try:
            return find_prices([name], given, objects=tuple(team.given))
        except ModelError:
            return {}

    return {name: price for each in team.names for name, price in known(each).items()}
