"""One root for all errors; what programs make of them is in the tests of the commands."""

from __future__ import annotations

import econ_agents
from tests.exceptions import exceptions_of


def test_every_error_has_the_one_root() -> None:
    found = exceptions_of(econ_agents)
    assert len(found) > 10
    assert [kind for kind in found if not issubclass(kind, econ_agents.EconAgentsError)] == []
