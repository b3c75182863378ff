"""Costs of rollouts by many workers: ``python -m benchmarks.throughput.rollout_costs``.

Measures, in seconds of CPU so that other work on the machine counts little, what
``docs/scaling.md`` computes from: the policy that is broadcast, the episodes that come back, what
a worker, the learner and the file of completions spend. No model is asked.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from econ_agents.algorithm.builders import build_networks, build_policy, build_teams
from econ_agents.config.files import read_config
from econ_agents.networks import TeamShapes, make_networks
from econ_agents.rollouts.shares import Played, cut_lap
from econ_agents.rollouts.worker import Job, Worker, packed
from econ_agents.training.trainer import Trainer
from econ_env.llm.cache.store import CompletionStore
from econ_env.llm.types import Completion, Usage

EMBEDDINGS = {"256": 256, "minilm": 384, "bge-large": 1024}
"""Numbers in an embedding: a small one, and those of two embedders."""
STREAMS = 100
"""Streams whose actions are computed together: every worker computes those of all streams."""
PLACES = 10
"""Streams that the worker plays."""
EPISODES = 200


def cpu_s(act: Callable[[], object], repeats: int = 5) -> float:
    """Least CPU time of one call, in seconds."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        act()
        times.append(time.process_time() - start)
    return min(times)


def policy_costs(dim: int) -> dict[str, float]:
    """Bytes of the policy that is sent to workers, and the time to pack it and to act with it."""
    shapes = TeamShapes(
        n_agents=3,
        observation_size=4 * dim + 4,
        action_size=2,
        state_size=3 * dim + 2 + 3 * (dim + 2),
        seen_size=2 * dim,
        target_size=dim,
    )
    config = read_config("p0")
    networks = make_networks(config, shapes, seed=0).eval()
    moments = config.memory.length + 1
    window = torch.zeros(3, STREAMS, moments, shapes.moment_size)
    known = torch.ones(STREAMS, moments, dtype=torch.bool)

    def act() -> None:
        with torch.no_grad():
            networks.beliefs.actions(networks.beliefs(window, known))

    return {
        "bytes": len(packed(networks)),
        "pack_s": cpu_s(lambda: packed(networks)),
        "act_s_per_1000_streams": cpu_s(act, repeats=2) * 1000 / STREAMS,
    }


def worker_costs() -> dict[str, float]:
    """Time and bytes per episode of a worker on the simulated team, of one round each."""
    config = replace(read_config("simulated"), update_interval=PLACES)
    job = Job(config=config, phase="train", bne=True, places=PLACES, variables={})
    worker = Worker(job)
    worker.open()
    teams = build_teams(config, "train")
    networks = build_networks(config, teams.space).eval()
    memory = build_policy(config, networks, teams.space, "train").memory
    weights = packed(networks)
    (share,) = cut_lap(
        memory,
        range(PLACES),
        PLACES,
        first=0,
        explore=True,
        options=None,
        questions=None,
        traces=False,
    )
    played: list[Played] = []

    def play() -> None:
        found = worker.play(weights, share)
        if isinstance(found, Played):
            played.append(found)

    seconds = cpu_s(play)
    return {
        "policy_bytes": len(weights),
        "episode_s": seconds / PLACES,
        "episode_bytes": len(played[-1].episodes) / PLACES,
        "unpack_episode_s": cpu_s(played[-1].unpacked) / PLACES,
    }


def learner_costs() -> dict[str, float]:
    """Time of the learner per interval of the simulated preset, of ten episodes and six updates."""
    config = read_config("simulated")
    teams = build_teams(config, "train")
    trainer = Trainer(config, teams)
    while trainer.learner.updates == 0:
        trainer.learn(trainer.collect())
    episodes = trainer.collect()
    before = trainer.learner.updates
    seconds = cpu_s(lambda: trainer.learn(episodes))
    updates = (trainer.learner.updates - before) / 5
    return {"update_s": seconds / updates, "updates_per_interval": updates}


def store_costs() -> dict[str, float]:
    """Time to keep and to find one completion of 300 tokens, and its bytes on the disk."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "completions.sqlite"
        store = CompletionStore(path)
        text, request = "word " * 300, "question " * 250
        completion = Completion(text=text, usage=Usage(prompt_tokens=400, completion_tokens=300))
        start, wall = time.process_time(), time.perf_counter()
        for k in range(EPISODES):
            store.put(f"{k:064x}", request, completion, model="m", role="execute")
        put_s = (time.process_time() - start) / EPISODES
        put_wall_s = (time.perf_counter() - wall) / EPISODES
        start = time.process_time()
        for k in range(EPISODES):
            store.get(f"{k:064x}")
        get_s = (time.process_time() - start) / EPISODES
        store.close()
        size = sum(file.stat().st_size for file in Path(folder).iterdir()) / EPISODES
    return {"put_s": put_s, "put_wall_s": put_wall_s, "get_s": get_s, "bytes": size}


def main() -> int:
    """Measure, print the costs as JSON, and return the exit code."""
    torch.set_num_threads(1)
    costs = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "load": os.getloadavg()[0],
        "torch": torch.__version__,
        "policy": {name: policy_costs(dim) for name, dim in EMBEDDINGS.items()},
        "worker": worker_costs(),
        "learner": learner_costs(),
        "store": store_costs(),
    }
    print(json.dumps(costs, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
