"""The versioned PettingZoo module: ``from econ_env import econ_v0``.

``parallel_env(**settings)`` is the parallel environment, ``env(**settings)`` its AEC conversion
with PettingZoo's order-enforcing wrapper, ``raw_env(**settings)`` the conversion alone. Arguments
are those of :class:`~econ_env.envs.parallel.EconParallelEnv`: the data set and the models may come
first, without names.

In the agent-environment-cycle view the executors act in turn, but a round is played, and paid, when
the last of them has acted. So an agent's reward is the one that ``last()`` returns at that agent's
*next* turn, which comes even after the end of an episode; right after its own ``step`` there is
nothing to read yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pettingzoo.utils.conversions import parallel_to_aec_wrapper
from pettingzoo.utils.wrappers import OrderEnforcingWrapper

from econ_env.config import EnvConfig
from econ_env.envs.keywords import takes_settings
from econ_env.envs.parallel import EconParallelEnv
from econ_env.envs.render import RenderMode
from econ_env.llm.types import ChatModel
from econ_env.questions.base import QuestionSource

__all__ = ["env", "parallel_env", "raw_env"]

parallel_env = EconParallelEnv


@takes_settings
def raw_env(
    dataset: str | Path | QuestionSource = EnvConfig.dataset,
    llm: str | ChatModel | Sequence[str | ChatModel] = EnvConfig.llm,
    *,
    render_mode: RenderMode | None = None,
    **settings: Any,
) -> parallel_to_aec_wrapper[str, Any, Any]:
    """The agent-environment-cycle view without further wrappers."""
    return parallel_to_aec_wrapper(
        EconParallelEnv(dataset, llm, render_mode=render_mode, **settings)
    )


@takes_settings
def env(
    dataset: str | Path | QuestionSource = EnvConfig.dataset,
    llm: str | ChatModel | Sequence[str | ChatModel] = EnvConfig.llm,
    *,
    render_mode: RenderMode | None = None,
    **settings: Any,
) -> OrderEnforcingWrapper[str, Any, Any]:
    """The agent-environment-cycle view that raises PettingZoo's errors for calls out of order."""
    return OrderEnforcingWrapper(raw_env(dataset, llm, render_mode=render_mode, **settings))
