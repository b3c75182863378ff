"""Prices of models for budgets, in US dollars per million tokens.

Prices change without notice. The table is small and dated, meant to stop a run and not to check
an invoice; the user's own prices replace it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from econ_env.llm.api.address import names_a_server
from econ_env.llm.types import ModelError, Usage

PRICES_AS_OF = "2026-06"
"""Month of the table. It was compiled from third-party listings, not from the providers' own pages:
give the price yourself if a limit in dollars matters."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Price:
    """Price of one model, in US dollars per million tokens, >= 0."""

    prompt_usd_per_million: float
    completion_usd_per_million: float

    def __post_init__(self) -> None:
        for value in (self.prompt_usd_per_million, self.completion_usd_per_million):
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"a price must be a finite number >= 0, got {value}")

    def cost_usd(self, usage: Usage) -> float:
        """Return the cost of ``usage``. Cached tokens count in full, so this is an upper bound."""
        return (
            usage.prompt_tokens * self.prompt_usd_per_million
            + usage.completion_tokens * self.completion_usd_per_million
        ) / 1e6


def _price(prompt: float, completion: float) -> Price:
    return Price(prompt_usd_per_million=prompt, completion_usd_per_million=completion)


FREE = _price(0.0, 0.0)

KNOWN_PRICES: Mapping[str, Price] = {
    "openai:gpt-4.1": _price(2.00, 8.00),
    "openai:gpt-4.1-mini": _price(0.40, 1.60),
    "openai:gpt-4.1-nano": _price(0.10, 0.40),
    "openai:gpt-4o": _price(2.50, 10.00),
    "openai:gpt-4o-mini": _price(0.15, 0.60),
    "together:meta-llama/Llama-3.3-70B-Instruct-Turbo": _price(0.88, 0.88),
    "together:meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo": _price(0.18, 0.18),
}
"""Prices by the model's name in ``llm=``, at the provider's own address."""


def read_prices(given: Mapping[str, Sequence[float]]) -> dict[str, Price]:
    """Read a user's prices: model name to (prompt, completion), in USD per million tokens.

    Raises:
        ValueError: an entry is not two finite numbers >= 0; the message names the model.
    """
    prices = {}
    for name, pair in given.items():
        # Type annotations are not checked for settings from a file or a command line.
        numbers = list(pair) if isinstance(pair, (list, tuple)) else []
        if len(numbers) != 2 or not all(_is_price(number) for number in numbers):
            raise ValueError(
                f"prices[{name!r}] must be two numbers >= 0, USD per million tokens of prompts "
                f"and of completions, got {pair!r}"
            )
        prices[name] = _price(*map(float, numbers))
    return prices


def find_prices(
    names: Sequence[str], given: Mapping[str, Price], objects: Sequence[str] = ()
) -> dict[str, Price]:
    """Return the price of every model: the user's, else free in this process, else the table's.

    Args:
        names: model names, as in ``llm=``.
        given: the user's prices.
        objects: those of ``names`` that belong to the user's own objects, whose prices only the
        user knows, whatever their names.

    Raises:
        ModelError: the price of a model is not known.
    """
    prices = {}
    for name in names:
        if name in given:
            prices[name] = given[name]
        elif name not in objects and not names_a_server(name):
            prices[name] = FREE
        elif name not in objects and name in KNOWN_PRICES:
            prices[name] = KNOWN_PRICES[name]
        else:
            raise ModelError(
                f"max_cost_usd is set, but the price of {name!r} is not known: give it in USD per "
                f"million tokens of prompts and of completions, prices={{{name!r}: [0.2, 0.6]}} "
                "(two zeros for a server of your own)"
            )
    return prices


def _is_price(number: object) -> bool:
    return (
        isinstance(number, (int, float))
        and not isinstance(number, bool)
        and math.isfinite(number)
        and number >= 0
    )
