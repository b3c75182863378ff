"""Measure the distance of ECON from equilibrium on the bundled models, before and after training.

The trained teams are those of :mod:`benchmarks.learning.bundled`; the untrained teams have the
networks that training began with. All are measured on the same unseen questions and seeds. A
deviation changes the answer of only one executor, so completions are cached and the others are
asked once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.errors import SettingsDiffer
from benchmarks.learning.bundled import IN_FLIGHT
from benchmarks.learning.results import Result, ResultFile, over_seeds
from econ_agents.algorithm.builders import build_networks, build_policy, build_teams
from econ_agents.algorithm.episode import Episode
from econ_agents.algorithm.rollout import Override, play_episodes
from econ_agents.config.files import CONFIG_FILE, read_config
from econ_agents.config.schema import Config
from econ_agents.equilibrium.deviations import Move, Search, shift_candidates
from econ_agents.equilibrium.nash_conv import estimate_nash_conv
from econ_agents.equilibrium.payoffs import play_recorded
from econ_agents.evaluation.evaluate import load_networks
from econ_agents.logging.progress import opened_progress
from econ_agents.networks import TeamNetworks
from econ_agents.seeds import derive_seed
from econ_agents.training.checkpoint import CheckpointError
from econ_agents.training.inspection import find_checkpoint

TEMPERATURES = (-1.0, -0.6, -0.2)
PENALTIES = (-0.8, -0.4)
SHIFTS = (0.4,)
"""Deviations: constants near the best fixed actions that the part "bundled" finds, and shifts of
the policy's own actions along an axis. `econ-agents nash` tries more, which would take hours here,
mostly for constants of high temperature, which give long, wrong answers."""


def measure_bundled_nash(*, seeds: Sequence[int], questions: int, work: Path, out: Path) -> Result:
    """Measure all parts that are not finished; return the summary of all parts.

    Args:
        seeds: seeds of the training runs.
        questions: number of unseen questions on which every deviation is played.
        work: folder of the runs of the part "bundled".
        out: file of the results.

    Raises:
        SettingsDiffer: a run is missing.
    """
    constants = [Move(kind="constant", values=point) for point in product(TEMPERATURES, PENALTIES)]
    search = Search(candidates=(*constants, *shift_candidates(SHIFTS, 2)))
    settings = {"questions": questions, "search": [asdict(move) for move in search.candidates]}
    file = ResultFile(out, settings, libraries=["transformers", "tokenizers"])
    # Trained teams come first, since they matter most: untrained teams differ little.
    for state in ("trained", "untrained"):
        for seed in seeds:
            name = f"{state}, seed {seed}"
            if name not in file.parts():
                file.put(name, _measure(name, work / f"bundled_{seed}", state, questions, search))
                file.summarise(_summarise(file.parts()))
    return _summarise(file.parts())


def _measure(name: str, run: Path, state: str, questions: int, search: Search) -> Result:
    try:
        checkpoint = find_checkpoint(run)
    except CheckpointError as error:
        raise SettingsDiffer(f'{error}: train it with the part "bundled"') from error
    with TemporaryDirectory() as folder:
        config = _keeping(read_config(run / CONFIG_FILE), Path(folder) / "completions.sqlite")
        teams = build_teams(config, "test", bne=False)
        try:
            networks: TeamNetworks = (
                load_networks(config, checkpoint, teams.space)
                if state == "trained"
                else build_networks(config, teams.space).eval()
            )
            seeds = [derive_seed("learning benchmark", "nash", k) for k in range(questions)]

            def record(override: Override | None, chosen: Sequence[int]) -> list[Episode]:
                policy = build_policy(config, networks, teams.space, "test")
                return play_episodes(teams, policy, chosen, override=override)

            n_agents = len(teams.space.agents)
            total = 2 * (1 + n_agents * len(search.candidates))
            with opened_progress(description=name, total=total, unit="play") as progress:
                found = estimate_nash_conv(
                    play_recorded(record, played=progress.advance),
                    n_agents=n_agents,
                    seeds=seeds,
                    search=search,
                )
        finally:
            teams.close()
    print(f"{name}: NashConv {found.interval}, in sample {found.in_sample:.3f}", flush=True)
    return found.to_json()


def _keeping(config: Config, completions: Path) -> Config:
    """Return ``config`` with a cache of completions, and as many questions as suit a batch."""
    kwargs = {**config.env.kwargs, "cache": "read_write", "cache_path": str(completions)}
    return replace(
        config,
        env=replace(config.env, kwargs=kwargs),
        train=replace(config.train, in_flight=IN_FLIGHT),
        test=replace(config.test, streams=IN_FLIGHT),
    )


def _summarise(parts: dict[str, Result]) -> Result:
    summary: Result = {}
    for state in ("trained", "untrained"):
        values = [part["value"] for name, part in parts.items() if name.startswith(f"{state},")]
        if values:
            summary[f"{state}_nash_conv"] = over_seeds(values)
    teams = [name.removeprefix("trained, ") for name in parts if name.startswith("trained, ")]
    # Of one team, on the same questions and seeds.
    falls = [
        parts[f"untrained, {team}"]["value"] - parts[f"trained, {team}"]["value"]
        for team in teams
        if f"untrained, {team}" in parts
    ]
    if falls:
        summary["fall_of_nash_conv"] = over_seeds(falls)
    return summary
