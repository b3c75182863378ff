"""stable-baselines3 and its contrib: PPO, SAC, TQC or RecurrentPPO control a whole team."""

import sys
from typing import Any

import numpy as np
import sb3_contrib
import stable_baselines3
from score import report
from stable_baselines3.common.env_util import make_vec_env

name = sys.argv[1] if sys.argv[1:] else "PPO"
on_policy: dict[str, Any] = {"n_steps": 64, "batch_size": 64, "learning_rate": 1e-3}
on_policy["policy_kwargs"] = {"log_std_init": -0.5}
off_policy: dict[str, Any] = {"learning_starts": 200, "learning_rate": 3e-3, "ent_coef": 0.01}
settings = off_policy if name in ("SAC", "TQC") else on_policy
library = stable_baselines3 if hasattr(stable_baselines3, name) else sb3_contrib
policy = "MlpLstmPolicy" if name == "RecurrentPPO" else "MlpPolicy"
envs = make_vec_env("econ_env:econ/Simulated-v0", 4, seed=0, env_kwargs={"split": "train"})
model = getattr(library, name)(policy, envs, seed=0, **settings)
model.learn(3072)


def act(_: dict[str, np.ndarray], state: np.ndarray) -> Any:
    """Return the actions of all executors, from the state."""
    return model.predict(state, deterministic=True)[0].reshape(len(state), -1, 2).swapaxes(0, 1)


report(act, team=True)
