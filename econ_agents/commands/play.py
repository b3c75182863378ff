"""``econ-agents play``: shows a trained team at play, on test questions or one of your own."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from econ_agents.algorithm.builders import build_policy, build_teams
from econ_agents.algorithm.episode import Episode
from econ_agents.algorithm.episode_metrics import CORRECT, TOKENS, describe_episodes, tokens_of
from econ_agents.algorithm.question_order import question_order
from econ_agents.algorithm.rollout import play_episodes
from econ_agents.config.schema import Config, ConfigError
from econ_agents.environments import Asked, Teams, TeamSpace
from econ_agents.evaluation.evaluate import live_options, load_networks
from econ_agents.seeds import derive_seed
from econ_agents.training.checkpoint import load_checkpoint
from econ_agents.training.inspection import nothing_learned
from econ_console.waiting_line import WaitingLine
from econ_files.private import append_privately
from econ_pages.errors import PageError
from econ_pages.files import takes_games
from econ_pages.text import plural, visible
from econ_pages.transcripts import read_game


def run_play(
    config: Config,
    checkpoint: Path,
    *,
    questions: int,
    question: str | None = None,
    show: int | None = None,
    out: Path | None = None,
) -> int:
    """Play without exploration, and print every game; the exit code is 0, or 1 if all failed.

    Args:
        config: configuration of the checkpoint; its phase "test" is played, with refinement.
        checkpoint: folder of the trained team.
        questions: number of questions.
        question: text of a question to play instead.
        show: number of games to print in full; None prints all.
        out: file to which the environment's records are appended as JSON lines; a new one is
            readable by its owner only. None keeps none.

    Raises:
        ConfigError: the environment takes no questions, or ``out`` takes no games.
        CheckpointError: the checkpoint is damaged, or its networks do not fit the environment.
    """
    if out is not None:
        _check_takes_games(out)
    # One game after the other, so that each is shown as soon as it ends. Its course is the same.
    config = replace(config, train=replace(config.train, in_flight=1))
    teams = build_teams(config, "test")
    with ExitStack() as stack:
        stack.callback(teams.close)
        networks = load_networks(config, checkpoint, teams.space)
        untouched = nothing_learned(config, load_checkpoint(checkpoint))
        if untouched is not None:
            print(f"note: {untouched}")
        asked = _asked(config, teams, questions, question)
        total = questions if asked is None else len(asked)
        file = None if out is None else stack.enter_context(append_privately(out))
        done = 0

        def waited_for() -> str:
            status = teams.status
            return f"game {done + 1} of {total}: {status}" if status else ""

        line = stack.enter_context(WaitingLine(waited_for))

        def watch(place: int, episode: Episode) -> None:
            nonlocal done
            wanted = file is not None or question is not None
            trace = teams.trace(place) if wanted else None
            if file is not None and trace is not None:
                file.write(json.dumps(trace, ensure_ascii=False) + "\n")
                file.flush()
            if show is None or done < show:
                text = teams.text(place, colour=_use_colour())
                text = _in_numbers(episode, teams.space) if text is None else text
                line.write(f"game {done + 1} of {total}\n{text}\n")
            elif question is not None and not episode.failed and trace is not None:
                line.write(f"answer: {_answer_in(trace)}\n")
            done += 1

        episodes = play_episodes(
            teams,
            build_policy(config, networks, teams.space, "test"),
            [derive_seed(config.seed, "play", k) for k in range(total)],
            options=live_options(config, checkpoint),
            questions=asked,
            watch=watch,
        )
    if question is None:
        print("\n".join(_summary(episodes)))
    if out is not None:
        print(f"transcripts: {total} appended to {out}")
    return 1 if all(episode.failed for episode in episodes) else 0


def _asked(
    config: Config, teams: Teams, questions: int, question: str | None
) -> Sequence[Asked] | None:
    """Questions to play; None if the environment chooses by the seeds."""
    if question is None:
        order = question_order(teams, questions, seed=config.seed, purpose="play")
        if order.note is not None:
            print(f"note: {order.note}")
        return order.numbers
    if teams.num_questions(1) is None:
        raise ConfigError(
            f"--question: the environment {config.env.factory} takes no questions: leave it out"
        )
    return [question]


def _in_numbers(episode: Episode, space: TeamSpace) -> str:
    """Describe an episode of an environment that has no words for it."""
    state = "failed" if episode.failed else f"team reward {episode.team_rewards.sum():.3f}"
    lines = [f"=== {episode.length} {plural(episode.length, 'step')} · {state}"]
    found = describe_episodes([episode], space)
    for agent in space.agents:
        own = {name.partition("/")[0]: found[name] for name in found if name.endswith(f"/{agent}")}
        means = (f"{part.replace('_', ' ')} {mean:.2f}" for part, mean in own.items())
        lines.append(f"  {agent}: {', '.join(means)}")
    return "\n".join(lines)


def _answer_in(trace: dict[str, Any]) -> str:
    """Return the last commitment of a game, from its transcript."""
    try:
        answer = read_game(trace, number=1, source="", where="the game").answer
    except PageError:
        answer = None
    return "none" if answer is None else visible(answer)


def _summary(episodes: Sequence[Episode]) -> list[str]:
    """Describe all episodes in a few lines."""
    finished = [episode for episode in episodes if not episode.failed]
    failed = len(episodes) - len(finished)
    lines = [f"played: {len(finished)} finished, {failed} failed"]
    if not finished:
        return lines
    infos = finished[0].infos
    if CORRECT in infos:
        right = sum(int(episode.infos[CORRECT][-1, 0]) for episode in finished)
        lines.append(f"right: {right} of {len(finished)}")
    mean = sum(float(episode.team_rewards.sum()) for episode in finished) / len(finished)
    lines.append(f"team reward: {mean:.3f}")
    if set(TOKENS) <= set(infos):
        tokens = sum(map(tokens_of, finished)) / len(finished)
        lines.append(f"tokens: {tokens:.0f} per question")
    return lines


def _check_takes_games(out: Path) -> None:
    """Check that games can be appended to a file."""
    if not out.parent.is_dir():
        raise ConfigError(f"--out {out}: there is no folder {out.parent}: make it first")
    if out.is_dir():
        raise ConfigError(f"--out {out} is a folder: name a file in it, such as games.jsonl")
    if not takes_games(out):
        raise ConfigError(
            f"--out {out} is a file of another kind, to which no games are appended: name a new "
            "file, or one that this command has written"
        )


def _use_colour() -> bool:
    """Return True if standard output is a terminal that shows colours."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb"
    return sys.stdout.isatty() and not plain
