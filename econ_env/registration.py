"""Registration of the environment with Gymnasium and PettingZoo."""

from __future__ import annotations

from typing import Any

import gymnasium
import pettingzoo

IDS: dict[str, dict[str, Any]] = {
    "GSM8K": {"dataset": "gsm8k", "llm": "bundled"},
    "MATH": {"dataset": "math", "llm": "bundled"},
    "SVAMP": {"dataset": "svamp", "llm": "bundled"},
    "Arithmetic": {"dataset": "arithmetic", "llm": "bundled"},
    "Simulated": {"dataset": "simulated", "llm": "simulated"},
}
"""Settings of every registered game by its name; further settings are keywords of ``make``.

The bundled models cannot solve GSM8K, MATH or SVAMP. They are the default there because they are
the only ones that every machine has; choose another with ``make(id, llm=...)``.
"""

VERSION = "v0"


def register_all() -> None:
    """Register ``econ/Arithmetic-v0`` and the others, unless they already are.

    Gymnasium gets the joint view and its vector environment, PettingZoo the parallel and the AEC
    view. PettingZoo has a registry from version 1.27 on; older versions are skipped.
    """
    for name, settings in IDS.items():
        env_id = f"econ/{name}-{VERSION}"
        if env_id not in gymnasium.registry:
            gymnasium.register(
                env_id,
                entry_point="econ_env.envs.joint:JointEnv",
                vector_entry_point="econ_env.envs.joint_vector:JointVectorEnv",
                kwargs=settings,
            )
        if not hasattr(pettingzoo, "register"):
            continue
        if env_id not in pettingzoo.parallel_registry:
            pettingzoo.register(
                "parallel", env_id, entry_point="econ_env.econ_v0:parallel_env", kwargs=settings
            )
        if env_id not in pettingzoo.aec_registry:
            pettingzoo.register("aec", env_id, entry_point="econ_env.econ_v0:env", kwargs=settings)
