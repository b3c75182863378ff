"""``econ-agents nash``: how much the executors of a trained team would gain by deviating."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from econ_agents.assembly import build_teams
from econ_agents.config import Config, ConfigError
from econ_agents.environments import Teams
from econ_agents.episode import Episode
from econ_agents.evaluate import live_options, load_networks, play_test
from econ_agents.moves import Deviation, Search, grid_candidates, shift_candidates
from econ_agents.nash import FEWEST_QUESTIONS, NashConv, estimate_nash_conv
from econ_agents.networks import TeamNetworks
from econ_agents.payoffs import Payoffs, Play, play_recorded
from econ_agents.rollout import Explore
from econ_agents.seeds import derive_seed

NASH_FILE = "nash.json"
GRID_POINTS = 5
"""Constants per axis of the action box, where the grid stays small."""
SHIFTS = (0.1, 0.25, 0.5)
"""Sizes of the shifts, in units of the action box."""
MAX_GRID = 125
"""Largest grid of constants; larger action spaces are searched by shifts alone."""


def run_nash(
    config: Config, checkpoint: Path, log_dir: Path, *, questions: int, seeds: Sequence[int]
) -> int:
    """Measure NashConv once per seed, print it and keep it as JSON; the exit code is 0.

    Args:
        config: of the checkpoint; its phase "test" is played, in one round a decision.
        checkpoint: folder of the trained team.
        log_dir: where ``nash.json`` goes.
        questions: on which every deviation is played.
        seeds: one measurement each.

    Raises:
        ConfigError: there are too few questions for two halves.
        CheckpointError: the checkpoint is damaged, or its networks have other shapes.
        TooFewResults: hardly an episode came to a result.
    """
    if questions < FEWEST_QUESTIONS:
        raise ConfigError(
            f"--questions must be at least {FEWEST_QUESTIONS}, got {questions}: one half of them "
            "chooses deviations, the other half measures these"
        )
    found: list[dict[str, Any]] = []
    teams = build_teams(config, "test", bne=False)
    try:
        networks = load_networks(config, checkpoint, teams.space)
        options = live_options(config, checkpoint)
        for seed in seeds:
            result = measure_nash_conv(
                config, networks, teams, questions=questions, seed=seed, options=options
            )
            found.append({"seed": seed, **result.to_json()})
            print(f"seed {seed}: NashConv {result.interval}, in sample {result.in_sample:.4g}")
            for agent in result.agents:
                name = teams.space.agents[agent.agent]
                print(f"  {name}: best deviation gains {agent.gain}")
    finally:
        teams.close()
    log_dir.mkdir(parents=True, exist_ok=True)
    path = log_dir / NASH_FILE
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"report: {path}")
    return 0


def measure_nash_conv(
    config: Config,
    networks: TeamNetworks,
    teams: Teams,
    *,
    questions: int,
    seed: int,
    options: dict[str, Any] | None = None,
) -> NashConv:
    """NashConv of the policy on ``questions`` episodes; see :mod:`econ_agents.nash`."""
    seeds = [derive_seed(seed, "nash", k) for k in range(questions)]
    search = default_search(teams.space.action_size)

    def record(explore: Explore | None, chosen: Sequence[int]) -> list[Episode]:
        return play_test(config, networks, teams, chosen, explore=explore, options=options)

    agents = len(teams.space.agents)
    plays = 1 + agents * (len(search.candidates) + 2 * teams.space.action_size * search.refinements)
    play = play_recorded(record, discount=config.train.gamma)
    with tqdm(total=2 * plays, unit="play", desc=f"seed {seed}", disable=None) as bar:
        return estimate_nash_conv(
            _counted(play, bar), n_agents=agents, seeds=seeds, search=search, seed=seed
        )


def default_search(action_size: int) -> Search:
    """Constants on a grid where it is small, and shifts of the policy's own actions."""
    shifts = shift_candidates(SHIFTS, action_size)
    points = next((p for p in range(GRID_POINTS, 1, -1) if p**action_size <= MAX_GRID), None)
    grid = () if points is None else grid_candidates(points, action_size)
    return Search(candidates=(*grid, *shifts), refinements=3)


def _counted(play: Play, bar: Any) -> Play:
    def counted(deviation: Deviation | None, seeds: Sequence[int]) -> Payoffs:
        payoffs = play(deviation, seeds)
        bar.update()
        return payoffs

    return counted
