"""stable-baselines3: PPO whose parameters all executors share, on one batch of 16 questions."""

import numpy as np
from score import report
from stable_baselines3 import PPO

from econ_env.integrations.sb3 import ExecutorsVecEnv

rows = ExecutorsVecEnv(16, dataset="simulated", llm="simulated", split="train")
narrow = {"log_std_init": -0.5}
model = PPO("MlpPolicy", rows, n_steps=16, seed=0, learning_rate=1e-3, policy_kwargs=narrow)
model.learn(9000)


def act(seen: dict[str, np.ndarray], _: np.ndarray) -> list[np.ndarray]:
    """Return the actions of every executor, whose index its observation ends with."""
    marks = np.eye(len(seen), dtype=np.float32)
    with_marks = [
        np.concatenate([each, np.tile(mark, (len(each), 1))], axis=1)
        for each, mark in zip(seen.values(), marks, strict=True)
    ]
    return [model.predict(each, deterministic=True)[0] for each in with_marks]


report(act)
