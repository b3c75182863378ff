"""``econ-env ask``: a team answers a question of one's own."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Annotated, Any

import tyro

from econ_env.commands.displays import Live
from econ_env.commands.flags import with_help
from econ_env.commands.play import PlayFlags, make_env, write_line
from econ_env.commands.playthrough import play_through
from econ_env.errors import UsageError
from econ_env.questions.own import OwnQuestion
from econ_env.questions.simulated import read_task
from econ_files.private import append_privately


@with_help
@dataclass(frozen=True, kw_only=True)
class Ask(PlayFlags):
    """Ask a team of language models one question of your own.

    The answer need not be known: nothing is judged. Strategy, responses and the commitment with its
    reason are printed as they come. The question stands in quotes, before the flags.
    """

    question: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="QUESTION")]
    """The question."""

    def run(self) -> int:
        """Play one game; the exit code is 0, or 1 if it failed.

        Raises:
            QuestionError: the question is empty.
            UsageError: simulated models cannot read it.
            ModelError: a model cannot be used.
        """
        out = self.out_file()
        source = OwnQuestion(self.question)
        # No data set is read, and no embedder loaded: without rewards nothing depends on it.
        given: dict[str, Any] = {"dataset": source, "embedder": self.embedder or "hashing"}
        config = replace(self, **given).env_config()
        families = config.team().families
        if "simulated" in families and read_task(source[0].text) is None:
            raise UsageError(
                "simulated models answer their own questions only, those of the data set "
                "simulated: --llm bundled asks models that read"
            )
        if "bundled" in families:
            print(
                "note: bundled models know generated word problems only, those of the data set "
                "arithmetic; other questions get wrong answers",
                file=sys.stderr,
            )
        choose_actions = self.fixed_actions(config, 1)
        display = Live()
        env = make_env(config, 1, display)
        with ExitStack() as stack:
            stack.callback(env.close)
            file = stack.enter_context(append_privately(out)) if out else None
            stack.enter_context(display.of(env, 1))
            (transcript,) = play_through(env, [source[0]], choose_actions)
            if file is not None:
                write_line(file, transcript)
            display.finished(transcript)
        if out is not None:
            print(f"transcript appended to {out}")
        return 0 if transcript.failed is None else 1
