"""Measure one client with a thousand requests in flight: rate, errors, memory, and how it ends.

With c requests in flight and a latency of l seconds no client gets more than c / l answers per
second. That is the ideal.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.throughput.api_requests import CpuTime, chat_requests, check, client
from benchmarks.throughput.mock_server import MockServer, mock_server
from benchmarks.throughput.settings import Load, Result, Settings
from benchmarks.throughput.timing import in_turn, spread
from econ_env.llm.api import ApiModel

PROMISED = 0.6
"""Least share of the ideal."""
PROMISED_END_S = 1.0
"""Longest time from Ctrl-C to the end, in seconds."""
NEVER_S = 3_600.0
"""Latency of a server that does not answer while it matters, in seconds."""


def measure_api_many(settings: Settings) -> Result:
    """Measure the rate against the ideal, the errors, the growth of memory, and Ctrl-C."""
    load = settings.api
    return {
        "in_flight": load.many_in_flight,
        "latency_s": load.many_latency_s,
        **_against_the_ideal(load, settings.repeats),
        "ctrl_c": _interrupted(load),
    }


def _against_the_ideal(load: Load, repeats: int) -> Result:
    count = load.many_in_flight * load.many_waves
    requests = chat_requests(count)
    cpu = CpuTime()
    threads = threading.active_count()
    failed = attempts = 0
    memory: list[float] = []
    with mock_server(load.many_latency_s) as server:
        with client(server, load.many_in_flight) as model:

            def answers(repeat: int) -> int:
                nonlocal failed, attempts
                completions = model.generate(requests)
                check([one for one in completions if one.error is None])
                failed += sum(one.error is not None for one in completions)
                attempts += sum(one.usage.requests for one in completions)
                memory.append(_memory_mib())
                return count

            rates = in_turn({"econ_env": cpu.of(answers)}, repeats)["econ_env"]
        most = server.counts()["most_in_flight"]
    ideal = load.many_in_flight / load.many_latency_s
    return {
        "most_in_flight_at_the_server": most,
        "requests": count * len(memory),
        "failed": failed,
        "promised_failed": 0,
        "sent_again": attempts - count * len(memory),
        **spread("requests_per_second", rates),
        "ideal_requests_per_second": ideal,
        **spread("ratio", [rate / ideal for rate in rates]),
        "promised_ratio": PROMISED,
        **spread("cpu_ms_per_request", cpu.milliseconds),
        "memory_mib_after_each": memory,
        "threads_left": threading.active_count() - threads,
    }


def _interrupted(load: Load) -> Result:
    """Interrupt a call with all its requests in flight, as Ctrl-C does."""
    threads = threading.active_count()
    with mock_server(NEVER_S) as server, client(server, load.many_in_flight) as model:
        with _ctrl_c_interrupts():
            took_s = _end_of(model, server, load.many_in_flight)
        left = threading.active_count() - threads
    return {"end_s": took_s, "promised_end_s": PROMISED_END_S, "threads_left": left}


def _end_of(model: ApiModel, server: MockServer, in_flight: int) -> float:
    """Return the seconds from Ctrl-C, sent once all requests are in flight, to the end of a call.

    Raises:
        SystemExit: the call ended before.
    """
    sent_s: list[float] = []
    ended = threading.Event()

    def interrupt() -> None:
        while server.counts()["most_in_flight"] < in_flight:
            if ended.wait(0.01):
                return
        sent_s.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    watcher = threading.Thread(target=interrupt)
    watcher.start()
    try:
        model.generate(chat_requests(in_flight))
    except KeyboardInterrupt:
        return time.perf_counter() - sent_s[0]
    finally:
        ended.set()
        watcher.join()
    raise SystemExit(f"{in_flight} requests were never in flight at once")


@contextmanager
def _ctrl_c_interrupts() -> Iterator[None]:
    """A process that was started in the background ignores Ctrl-C otherwise."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _memory_mib() -> float:
    """Return the memory that this process holds, in MiB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
