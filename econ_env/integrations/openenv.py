"""The environment as a server of OpenEnv, and the client of such a server.

>>> serve(dataset="gsm8k", llm="bundled")
>>> with EconClient("http://127.0.0.1:8000").sync() as env:  # in another process
...     agents = env.reset(seed=0).observation.observations
...     result = env.step(EconAction(actions={agent: (0.0, 0.5) for agent in agents}))

A client sends numbers, which are checked, and the options of a reset; nothing of it is ever run.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any
from urllib.parse import urlsplit

import numpy as np
import uvicorn
from gymnasium.error import ResetNeeded
from openenv.core.client_types import StepResult
from openenv.core.env_client import EnvClient
from openenv.core.env_server import create_app
from openenv.core.env_server.interfaces import Environment
from openenv.core.env_server.types import Action, EnvironmentMetadata, Observation, State
from pydantic import Field
from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from econ_env.envs.keywords import takes_settings
from econ_env.envs.parallel import EconParallelEnv
from econ_env.errors import EconError
from econ_env.version import __version__

__all__ = [
    "EconAction",
    "EconClient",
    "EconEnvironment",
    "EconObservation",
    "EconState",
    "make_app",
    "serve",
]

LOOPBACK = ("127.0.0.1", "::1", "localhost")
"""Names of this machine: a server listens there unless told otherwise."""

Coordinate = Annotated[float, Field(strict=True, allow_inf_nan=False)]


class EconAction(Action):  # type: ignore[misc]  # openenv is not installed where types are checked
    """One round's actions: a point of the box for every executor."""

    actions: dict[str, tuple[Coordinate, Coordinate]] = Field(
        description="Executor → (temperature, repetition penalty), each in [-1, 1], mapped affinely"
        " to the bounds of the settings and clipped there."
    )


class EconObservation(Observation):  # type: ignore[misc]
    """Observation after a round; ``reward`` is the team's, and ``done`` the end of the episode."""

    question: str
    """The question as text, for agents that read."""
    observations: dict[str, list[float]]
    """Executor → observation, in [-1, 1]; see :class:`~econ_env.envs.parallel.EconParallelEnv`."""
    rewards: dict[str, float]
    """Executor → its own reward."""
    truncated: bool
    """True if a request failed: the episode has no result, and is not to be learned from."""
    infos: dict[str, dict[str, float]]
    """Executor → the numbers of :data:`~econ_env.envs.infos.INFO_KEYS`."""


class EconState(State):  # type: ignore[misc]
    """State that a trainer may know; a policy may not, since the transcript has the gold answer."""

    state: list[float] = Field(default_factory=list)
    """The state of ``EconParallelEnv.state()``; empty before the first reset."""
    transcript: dict[str, Any] = Field(default_factory=dict)
    """Every text of the episode so far; see :class:`~econ_env.game.transcript.Transcript`."""


class EconEnvironment(Environment):  # type: ignore[misc]
    """One session of a server: a ``parallel_env`` with these settings.

    Args:
        settings: those of :class:`~econ_env.config.EnvConfig`.
    """

    SUPPORTS_CONCURRENT_SESSIONS = True

    @takes_settings
    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self._env = EconParallelEnv(**settings)
        self._state = EconState()
        self._started = False

    def reset(
        self, seed: int | None = None, episode_id: str | None = None, **options: Any
    ) -> EconObservation:
        """Start an episode.

        Args:
            seed: as of ``EconParallelEnv.reset``.
            episode_id: a name that the state repeats.
            options: ``question`` and ``reward_weights``, as in ``reset(options={...})``.

        Raises:
            ValueError: a value is malformed.
        """
        self._state = EconState(episode_id=episode_id)
        seen, infos = self._env.reset(seed=seed, options=options)
        self._started = True
        return self._shown(seen, dict.fromkeys(seen, 0.0), infos)

    def step(
        self, action: EconAction, timeout_s: float | None = None, **kwargs: Any
    ) -> EconObservation:
        """Play one round. ``timeout_s`` is ignored: the settings say how long models may take.

        Raises:
            ResetNeeded: before the first ``reset`` or after the end of the episode.
            ValueError: an executor is missing or unknown.
        """
        seen, rewards, terminated, truncated, infos = self._env.step(action.actions)
        self._state.step_count += 1
        return self._shown(
            seen,
            rewards,
            infos,
            done=any(terminated.values()) or any(truncated.values()),
            truncated=any(truncated.values()),
        )

    @property
    def state(self) -> EconState:
        """State that a trainer may know; before the first ``reset``, an empty one."""
        if self._started:
            self._state.state = self._env.state().tolist()
            self._state.transcript = self._env.transcript.to_json()
        return self._state

    def get_metadata(self) -> EnvironmentMetadata:
        """Return the name and the purpose of the environment."""
        return EnvironmentMetadata(
            name="econ",
            description="A team of language models answers a question; agents choose the "
            "temperature and the repetition penalty of every executor.",
            version=__version__,
        )

    def close(self) -> None:
        """Close the cache's file. Models are shared by the process and stay loaded."""
        self._env.close()

    def _shown(
        self,
        seen: dict[str, Any],
        rewards: dict[str, float],
        infos: dict[str, dict[str, float]],
        *,
        done: bool = False,
        truncated: bool = False,
    ) -> EconObservation:
        return EconObservation(
            question=self._env.transcript.question.text,
            observations={agent: np.asarray(own).tolist() for agent, own in seen.items()},
            rewards=rewards,
            reward=next(iter(infos.values()))["team_reward"],
            done=done,
            truncated=truncated,
            infos=infos,
        )


class EconClient(EnvClient):  # type: ignore[misc]
    """A session on a server of :func:`serve`; ``.sync()`` gives one without ``await``."""

    def _step_payload(self, action: EconAction) -> dict[str, Any]:
        payload: dict[str, Any] = action.model_dump()
        return payload

    def _parse_result(self, payload: dict[str, Any]) -> StepResult:
        ends = {"reward": payload["reward"], "done": payload["done"]}
        return StepResult(observation=EconObservation(**payload["observation"], **ends), **ends)

    def _parse_state(self, payload: dict[str, Any]) -> EconState:
        return EconState(**payload)


def make_app(*, max_sessions: int = 8, **settings: Any) -> Starlette:
    """Make the ASGI application of OpenEnv: a session for each WebSocket at ``/ws``.

    Its ``POST /reset`` and ``/step`` have no session: OpenEnv makes an environment for each of
    these requests. A request that a browser sends for a page of another machine is refused.

    Args:
        max_sessions: most sessions at a time, >= 1; further ones are refused.
        settings: those of :class:`~econ_env.config.EnvConfig`.

    Raises:
        EconError: a setting has a value that cannot be played.
    """
    app: Starlette = create_app(
        partial(EconEnvironment, **settings),
        EconAction,
        EconObservation,
        env_name="econ",
        max_concurrent_envs=max_sessions,
        state_cls=EconState,
    )
    for kind in (EconError, ResetNeeded, ValueError):
        app.add_exception_handler(kind, _say)
    app.add_middleware(_OwnPagesOnly)
    EconEnvironment(**settings).close()  # so that a wrong setting is told now, not to a client
    return app


def serve(
    *, host: str = LOOPBACK[0], port: int = 8000, max_sessions: int = 8, **settings: Any
) -> None:
    """Serve the environment until interrupted.

    Args:
        host: address to listen at. Whoever reaches it can spend what the models cost: OpenEnv asks
            for no key.
        port: port to listen at, 0 for a free one.
        max_sessions: see :func:`make_app`.
        settings: those of :class:`~econ_env.config.EnvConfig`.
    """
    uvicorn.run(make_app(max_sessions=max_sessions, **settings), host=host, port=port)


async def _say(request: Request, error: Exception) -> JSONResponse:
    """Answer a request that cannot be carried out with the words of its error."""
    return JSONResponse({"detail": str(error)}, status_code=409)


class _OwnPagesOnly:
    """Refuse what a browser sends for a page of elsewhere, which could spend what models cost."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            origin = HTTPConnection(scope).headers.get("origin")
            if origin is not None and urlsplit(origin).hostname not in LOOPBACK:
                refusal: ASGIApp = WebSocketClose(1008)
                if scope["type"] == "http":
                    refusal = PlainTextResponse("Pages of other hosts are refused.", 403)
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)
