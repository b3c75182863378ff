"""Queue of requests from many threads, answered in batches by one thread."""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future

from econ_env.llm.types import ChatModel, ChatRequest, Completion

_Job = tuple[Sequence[ChatRequest], "Future[list[Completion]]"]


class Answering:
    """One thread that sends all waiting requests to their models, batch by batch.

    The answer to a request does not depend on its batch; the models guarantee that
    (:mod:`econ_env.llm.local.model`).

    Args:
        models: models by name; only this thread uses them, and the caller closes them.
    """

    def __init__(self, models: Mapping[str, ChatModel]) -> None:
        self._models = models
        self._waiting: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="answering", daemon=True)
        self._thread.start()

    def answer(self, requests: Sequence[ChatRequest]) -> list[Completion]:
        """Wait for the completions of ``requests``, and return them in order."""
        future: Future[list[Completion]] = Future()
        self._waiting.put((requests, future))
        return future.result()

    def close(self) -> None:
        """Answer all waiting requests, and end the thread."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        ends = False
        while not ends:
            jobs = [self._waiting.get()]
            while not self._waiting.empty():
                jobs.append(self._waiting.get())
            ends = None in jobs
            self._answer([job for job in jobs if job is not None])

    def _answer(self, jobs: Sequence[_Job]) -> None:
        for name, model in self._models.items():
            own = [job for job in jobs if job[0][0].model == name]
            if not own:
                continue
            try:
                completions = model.generate([each for requests, _ in own for each in requests])
            except Exception as error:  # noqa: BLE001 - raised in the waiting threads
                for _, future in own:
                    future.set_exception(error)
                continue
            rest = iter(completions)
            for requests, future in own:
                future.set_result([next(rest) for _ in requests])
