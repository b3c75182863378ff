"""The versioned PettingZoo module: ``from econ_env import econ_v0``.

``parallel_env(**settings)`` is the parallel environment, ``env(**settings)`` its AEC conversion
with PettingZoo's order-enforcing wrapper, ``raw_env(**settings)`` the conversion alone. Settings
are those of :class:`~econ_env.envs.parallel.EconParallelEnv`.
"""

from __future__ import annotations

from typing import Any

from pettingzoo.utils.conversions import parallel_to_aec_wrapper
from pettingzoo.utils.wrappers import OrderEnforcingWrapper

from econ_env.envs.keywords import takes_settings
from econ_env.envs.parallel import EconParallelEnv
from econ_env.envs.render import RenderMode

__all__ = ["env", "parallel_env", "raw_env"]

parallel_env = EconParallelEnv


@takes_settings
def raw_env(
    *, render_mode: RenderMode | None = None, **settings: Any
) -> parallel_to_aec_wrapper[str, Any, Any]:
    """The agent-environment-cycle view without further wrappers."""
    return parallel_to_aec_wrapper(EconParallelEnv(render_mode=render_mode, **settings))


@takes_settings
def env(
    *, render_mode: RenderMode | None = None, **settings: Any
) -> OrderEnforcingWrapper[str, Any, Any]:
    """The agent-environment-cycle view that raises PettingZoo's errors for calls out of order."""
    return OrderEnforcingWrapper(raw_env(render_mode=render_mode, **settings))
