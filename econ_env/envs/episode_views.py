"""Accessors that all views of the episodes share: transcripts, usage and spending."""

from __future__ import annotations

from typing import Any

from gymnasium.utils import EzPickle

from econ_env.envs.driver import Episodes
from econ_env.envs.render import render_transcript
from econ_env.game.transcript import Transcript
from econ_env.llm.budget.limits import Spending
from econ_env.llm.types import Usage


class EpisodesView(EzPickle):
    """An environment that shows the episodes of a driver.

    Copying and pickling carry the arguments of its constructor, never models, texts or positions:
    a copy needs a reset, and says so, even if the original was in the middle of an episode.
    """

    _episodes: Episodes
    """The driver; the constructor of the environment makes it."""

    def __setstate__(self, d: dict[str, Any]) -> None:
        super().__setstate__(d)
        self._episodes.of_a_copy = True

    @property
    def status(self) -> str:
        """Words on what is waited for now; "" if nothing is. It may be read from any thread.

        An example: ``executors answer; 6 requests in flight, slowest 42 s, 1 retried (time-out)``.
        """
        return self._episodes.status

    @property
    def usage(self) -> Usage:
        """Tokens and requests spent since this environment was made; kept strategies add none."""
        return self._episodes.usage

    @property
    def usage_from_cache(self) -> Usage:
        """Usage of the answers from the cache when they were recorded; not part of ``usage``."""
        return self._episodes.usage_from_cache

    @property
    def spending(self) -> Spending:
        """Spending against ``max_requests``, ``max_total_tokens`` and ``max_cost_usd``."""
        return self._episodes.spending


class OneEpisodeView(EpisodesView):
    """A view of one episode at a time."""

    @property
    def transcript(self) -> Transcript:
        """Transcript of the episode so far: every text and how it was sampled."""
        return self._episodes.transcript(0)

    def episode_text(self, *, colour: bool = False) -> str:
        """Return the episode so far as text for people, perhaps with colours of a terminal.

        It has no number: the caller may count games in another way than the environment.
        """
        return render_transcript(self.transcript, colour=colour, heading="")

    def close(self) -> None:
        """Close the cache's file. Models are shared by the process and stay loaded.

        May be called twice. :func:`econ_env.llm.close_shared_models` releases the models.
        """
        self._episodes.close()


class ManyEpisodesView(EpisodesView):
    """A view of many episodes in lock-step."""

    def transcript(self, index: int) -> Transcript:
        """Transcript of episode number ``index``, from 0: every text and how it was sampled.

        Raises:
            ResetNeeded: the episode has never been reset.
        """
        return self._episodes.transcript(index)

    def episode_text(self, index: int, *, colour: bool = False) -> str:
        """Return episode number ``index`` as text for people, perhaps with colours of a terminal.

        The text has no number: the caller may count games in another way than the environment.

        Raises:
            ResetNeeded: the episode has never been reset.
        """
        return render_transcript(self.transcript(index), colour=colour, heading="")
