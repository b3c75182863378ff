"""Tokens and cost of model calls, computed in the same way for every method."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from benchmarks.comparison.records import Bill
from econ_env.llm.budget.prices import Price
from econ_env.llm.types import Usage


def bill(calls: Iterable[tuple[str, Usage]], prices: Mapping[str, Price]) -> Bill:
    """Add up the tokens and cost of calls; a model without a price makes the cost unknown.

    Args:
        calls: model name and tokens of each call.
        prices: prices of models, by name.
    """
    usage, cost, longest = Usage(), 0.0, 0
    unknown = False
    for model, spent in calls:
        usage += spent
        longest = max(longest, spent.prompt_tokens)
        price = prices.get(model)
        if price is None:
            unknown = True
        else:
            cost += price.cost_usd(spent)
    return Bill(usage=usage, cost_usd=None if unknown else cost, longest_prompt_tokens=longest)
