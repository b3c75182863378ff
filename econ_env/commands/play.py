"""``econ-env play`` and ``watch``: a team answers questions; prints episodes and a summary."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Annotated, Literal, TypeAlias

import numpy as np
import tyro
from numpy.typing import NDArray

from econ_env.commands.displays import Display, Live, Overview
from econ_env.commands.flags import EnvFlags, fixed_point, with_flags, with_help
from econ_env.commands.playthrough import play_through
from econ_env.commands.summary import summarise
from econ_env.config import EnvConfig
from econ_env.embeddings import DEFAULT_MODEL
from econ_env.envs.batched import BatchedEconEnv
from econ_env.errors import UsageError
from econ_env.game.transcript import Transcript
from econ_env.llm.registry import runs_here
from econ_env.llm.types import ModelError
from econ_env.questions.base import Question, QuestionOrder
from econ_files.private import append_privately

Actions: TypeAlias = dict[str, NDArray[np.float32]]
"""Array (games, 2) in [-1, 1] for every agent."""

BATCH_SIZE = 16
"""Questions played side by side."""

LOCAL_BATCH_SIZE = 64
"""Questions played side by side with models that run in this process and are not small: they are
fast in large batches only, and take no more into work at once than memory allows."""


MAX_LINE_BYTES = 1 << 24
"""Largest first line that is read of a file of transcripts."""


@with_help
@dataclass(frozen=True, kw_only=True)
class PlayFlags(EnvFlags):
    """Flags shared by all commands that play without learning."""

    temperature: float = 0.7
    """Sampling temperature of all executors, from --temperature-min to --temperature-max."""
    repetition_penalty: float = 1.0
    """Repetition penalty of all executors, from --repetition-penalty-min to
    --repetition-penalty-max; 1 is neutral."""
    out: Path | None = None
    """File to which every finished episode is appended, one JSON object per line. A new file is
    readable by its owner only."""
    allow_key_for: Annotated[tuple[str, ...], tyro.conf.arg(metavar="HOST ...")] = ()
    """Hosts, besides the server's own, that may get the key of a server's kind, OPENAI_API_KEY for
    example: HOST or HOST:PORT. Over https or on this machine only."""

    def env_config(self) -> EnvConfig:
        """Return the checked settings, with a large embedder only if the user names it.

        Nothing is learned here: texts are embedded for the rewards that are shown.
        """
        config = super().env_config()
        if self.embedder is None and config.resolved_embedder() == DEFAULT_MODEL:
            return replace(config, embedder="hashing")
        return config

    def out_file(self) -> Path | None:
        """Return the file for transcripts, checked; None if they are not kept.

        Raises:
            UsageError: transcripts cannot be appended to it.
        """
        if self.out is None:
            return None
        out = self.out.expanduser()
        check_takes_transcripts(out)
        return out

    def fixed_actions(self, config: EnvConfig, size: int) -> Callable[[], Actions]:
        """Return a function that gives all agents of ``size`` games the actions of the flags.

        Raises:
            UsageError: a flag is outside the bounds of the settings.
        """
        point = fixed_point(
            config.bounds(),
            temperature=self.temperature,
            repetition_penalty=self.repetition_penalty,
        )
        fixed = np.broadcast_to(np.array(point, dtype=np.float32), (size, 2))
        return lambda: dict.fromkeys(config.agents, fixed)


@with_help
@dataclass(frozen=True, kw_only=True)
class PlayQuestions(PlayFlags):
    """Flags of the commands that play questions of a data set."""

    questions: Annotated[int, tyro.conf.arg(metavar="N")] = 20
    """Number of questions to play."""
    actions: Literal["fixed", "random"] = "fixed"
    """"fixed": every executor samples with --temperature and --repetition-penalty. "random": a new
    random temperature and penalty for every executor in every round."""
    loop: bool = False
    """Start over after the last question if the data set has fewer than --questions. Off: each
    question is played once."""

    def play(self, display: Display, *, side_by_side: int | None = None) -> int:
        """Play; the exit code is 0, 1 if no episode finished and some failed, or 130 after Ctrl-C.

        Args:
            display: shows the games.
            side_by_side: largest number of games at a time; None: what suits the models.

        Raises:
            ModelError: a model cannot be used, or no longer: an exhausted budget, for example. The
                episodes played before are summed up first.
        """
        if self.questions < 1:
            raise UsageError(f"--questions must be at least 1, got {self.questions}")
        out = self.out_file()
        config = self.env_config()
        size = min(side_by_side or _side_by_side(config), self.questions)
        choose_actions = self._chooser(config, size)
        env = make_env(config, size, display)
        chosen = self._choose_questions(env)
        transcripts: list[Transcript] = []
        interrupted = False
        stopped: ModelError | None = None
        with ExitStack() as stack:
            stack.callback(env.close)
            file = stack.enter_context(append_privately(out)) if out else None
            stack.enter_context(display.of(env, len(chosen)))
            try:
                for transcript in play_through(env, chosen, choose_actions):
                    if file is not None:
                        write_line(file, transcript)
                    display.finished(transcript)
                    transcripts.append(transcript)
            except KeyboardInterrupt:
                interrupted = True
            except ModelError as error:
                if not transcripts:
                    raise
                stopped = error
        if interrupted:
            print(
                f"interrupted: {len(transcripts)} of {len(chosen)} questions were played",
                file=sys.stderr,
            )
        summary = summarise(transcripts)
        print(summary)
        self._print_spending(env)
        if out is not None:
            print(f"transcripts          {len(transcripts)} appended to {out}")
        if stopped is not None:
            raise stopped
        if interrupted:
            return 130
        return 1 if summary.failed and not summary.finished else 0

    def _print_spending(self, env: BatchedEconEnv) -> None:
        """Print the requests and tokens of this run, if there is a cache or a budget."""
        limits = (self.max_requests, self.max_total_tokens, self.max_cost_usd)
        if self.cache == "off" and limits == (None, None, None):
            return
        spent, kept = env.spending, env.usage_from_cache
        cost = "" if self.max_cost_usd is None else f", ${spent.cost_usd:.4f}"
        print(f"asked now            {spent.requests} requests, {spent.tokens} tokens{cost}")
        if self.cache != "off":
            print(f"from the cache       {kept.requests} requests, {kept.total_tokens} tokens")

    def _choose_questions(self, env: BatchedEconEnv) -> list[Question]:
        """Return the first ``questions`` of the order, each at most once unless ``loop`` is set."""
        order = QuestionOrder(env.questions, order=self.order, loop=self.loop, seed=self.seed)
        chosen = order.take(self.questions)
        if len(chosen) < self.questions:
            print(
                f"--questions {self.questions}: the data set has only {len(chosen)}",
                file=sys.stderr,
            )
        return chosen

    def _chooser(self, config: EnvConfig, size: int) -> Callable[[], Actions]:
        """Return a function that chooses the actions of all agents: one point, or at random."""
        if self.actions == "fixed":
            return self.fixed_actions(config, size)
        rng = np.random.default_rng(self.seed)
        return lambda: {
            agent: rng.uniform(-1, 1, (size, 2)).astype(np.float32) for agent in config.agents
        }


@with_help
@dataclass(frozen=True, kw_only=True)
class Play(PlayQuestions):
    """Let a team of language models answer questions, and print the result.

    A coordinator plans, executors answer, the coordinator commits to one answer. Without any
    flags, three small models that come with this package solve word problems that they have not
    seen; nothing is downloaded. The actions are fixed or random: this command does not learn.

    Questions are played side by side. To see games as they unfold, use "econ-env watch".
    """

    show: int = 2
    """Number of episodes to print in full."""

    def run(self) -> int:
        """Play, and return the exit code; see :meth:`PlayQuestions.play`."""
        if self.show < 0:
            raise UsageError(f"--show must be at least 0, got {self.show}")
        return self.play(Overview(self.show))


@with_help
@dataclass(frozen=True, kw_only=True)
class Watch(PlayQuestions):
    """Watch a team of language models answer questions, one game after the other, live.

    Strategy, responses and commitment are printed as they come, and a line says what is waited for:
    "game 3 of 8: executors answer; 6 requests in flight, slowest 42 s". If the output is not a
    terminal, such a line is printed every few seconds.
    """

    questions: Annotated[int, tyro.conf.arg(metavar="N")] = 8
    """Number of questions to play."""

    def run(self) -> int:
        """Play, and return the exit code; see :meth:`PlayQuestions.play`."""
        return self.play(Live(), side_by_side=1)


def make_env(config: EnvConfig, size: int, display: Display) -> BatchedEconEnv:
    """Make the environment of ``size`` games whose course is shown.

    Raises:
        UsageError: the settings contradict the data set.
    """
    try:
        return BatchedEconEnv(config, num_questions=size, watch=display.watch)
    except ValueError as error:
        raise UsageError(with_flags(str(error))) from error


def check_takes_transcripts(path: Path) -> None:
    """Check that transcripts can be appended to a file; a new one is made.

    Raises:
        UsageError: it is no file, or a file of another kind, or its folder does not exist.
    """
    if not path.parent.is_dir():
        raise UsageError(f"--out {path}: there is no folder {path.parent}: make it first")
    if path.is_dir():
        raise UsageError(f"--out {path} is a folder: name a file in it, such as games.jsonl")
    if not path.is_file():
        return
    with path.open("rb") as file:
        first = file.readline(MAX_LINE_BYTES)
    try:
        is_transcript = not first.strip() or "decisions" in json.loads(first)
    except (ValueError, TypeError, RecursionError):
        is_transcript = False
    if not is_transcript:
        raise UsageError(
            f"--out {path} is a file of another kind, to which no transcripts are appended: name "
            "a new file, or one that this command has written"
        )


def _side_by_side(config: EnvConfig) -> int:
    """Count the questions of one batch of this team."""
    return LOCAL_BATCH_SIZE if any(map(runs_here, config.team().names)) else BATCH_SIZE


def write_line(file: IO[str], transcript: Transcript) -> None:
    """Append one whole line and hand it to the operating system at once."""
    file.write(json.dumps(transcript.to_json(), ensure_ascii=False) + "\n")
    file.flush()
