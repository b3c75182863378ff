"""The grading process: killed, replaced, shared by threads, not inherited by forks."""

from __future__ import annotations

import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from econ_env.grading import process as process_module
from econ_env.grading.answers import ATTEMPTS, Verdict
from econ_env.grading.process import JudgeProcess
from econ_env.grading.worker import GradingError, GradingWorker, WorkerLimits

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the worker needs POSIX")


@pytest.fixture(scope="module")
def shared() -> Iterator[GradingWorker]:
    worker = GradingWorker(WorkerLimits(wall_seconds=30.0))
    yield worker
    worker.close()


@pytest.fixture(scope="module")
def hasty() -> Iterator[GradingWorker]:
    worker = GradingWorker(WorkerLimits(cpu_seconds=2.0, wall_seconds=5.0))
    yield worker
    worker.close()


@pytest.fixture
def patient() -> Iterator[GradingWorker]:
    """Little processor time and much wall time: on a busy machine, too, the former ends first."""
    worker = GradingWorker(WorkerLimits(cpu_seconds=0.3, wall_seconds=60.0))
    yield worker
    worker.close()


def process_of(worker: GradingWorker) -> int:
    pid = worker.pid
    assert pid is not None
    return pid


def standby_of(worker: GradingWorker) -> int:
    pid = worker.standby_pid
    assert pid is not None
    return pid


def has_ended(pid: int) -> bool:
    ps = shutil.which("ps")
    assert ps is not None
    state = subprocess.run(
        [ps, "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    return not state or state.startswith("Z")


def cpu_seconds_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_until(condition: Callable[[], bool]) -> bool:
    for _ in range(200):
        if condition():
            return True
        time.sleep(0.05)
    return False


@pytest.mark.slow
@pytest.mark.parametrize(
    ("gold", "answer", "verdict"),
    [
        (r"2\sqrt{2}", r"\sqrt{8}", Verdict.CORRECT),
        ("p - q", "-q + p", Verdict.CORRECT),
        ("p - q", "q - p", Verdict.INCORRECT),
        ("5", r"\frac{", Verdict.UNPARSEABLE),
        (r"\frac{", "5", Verdict.UNPARSEABLE),
    ],
)
def test_formulas_are_compared(
    shared: GradingWorker, gold: str, answer: str, verdict: Verdict
) -> None:
    assert shared.judge(gold, answer) is verdict


@pytest.mark.parametrize("code", ["__import__('os').system('touch {}')", "open('{}', 'w')"])
def test_code_is_read_as_letters_at_most(shared: GradingWorker, code: str, tmp_path: Path) -> None:
    path = tmp_path / "touched"
    assert shared.judge("5", code.format(path)) is not Verdict.CORRECT
    assert not path.exists()


@pytest.mark.slow
def test_it_starts_when_first_asked_and_again_after_close() -> None:
    worker = GradingWorker()
    assert worker.pid is None
    worker.warm_up()
    first, second = process_of(worker), standby_of(worker)
    worker.close()
    worker.close()
    assert worker.pid is None
    assert worker.standby_pid is None
    assert has_ended(first)
    assert has_ended(second)
    assert worker.judge("x+1", "1+x") is Verdict.CORRECT
    worker.close()


@pytest.mark.slow
def test_a_comparison_that_takes_too_long_is_given_up_and_the_worker_lives_on(
    patient: GradingWorker,
) -> None:
    patient.warm_up()
    before = process_of(patient)
    assert patient.judge("5", r"(x+y+z+1)^{999} - 1") is Verdict.TIMEOUT
    assert patient.judge("x", "x") is Verdict.CORRECT
    assert process_of(patient) == before


@pytest.mark.slow
def test_a_worker_that_does_not_reply_is_killed_and_replaced(hasty: GradingWorker) -> None:
    hasty.warm_up()
    before = process_of(hasty)
    os.kill(before, signal.SIGSTOP)  # hears no timer, like one long operation on huge numbers
    assert hasty.judge("5", "x") is Verdict.TIMEOUT
    assert has_ended(before)
    hasty.warm_up()  # on a busy machine, too, the replacement is ready
    assert hasty.judge("x", "x") is Verdict.CORRECT
    assert process_of(hasty) != before


@pytest.mark.slow
def test_the_process_that_waits_takes_the_place_of_one_that_is_killed(
    hasty: GradingWorker,
) -> None:
    hasty.warm_up()
    in_use, waiting = process_of(hasty), standby_of(hasty)
    os.kill(in_use, signal.SIGSTOP)
    assert hasty.judge("5", "x") is Verdict.TIMEOUT
    assert process_of(hasty) == waiting
    hasty.warm_up()
    assert standby_of(hasty) not in (in_use, waiting)


@pytest.mark.slow
def test_an_answer_behind_hostile_ones_waits_for_no_start(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    worker = GradingWorker(WorkerLimits(wall_seconds=0.6))
    worker.warm_up()
    slow = tmp_path / "slow_judge.py"
    slow.write_text("import time; time.sleep(60)")  # as if the machine were very busy
    monkeypatch.setattr(process_module, "_JUDGE", slow)
    for _ in range(2):  # the second time, the replacement is one that starts slowly
        worker.warm_up()
        os.kill(process_of(worker), signal.SIGSTOP)
        assert worker.judge("5", "x") is Verdict.TIMEOUT
    assert not caplog.text
    assert worker.judge("x", "x") is Verdict.TIMEOUT  # and not after the 60 seconds
    assert "not compared" in caplog.text
    starting = process_of(worker)
    assert worker.judge("x", "x") is Verdict.TIMEOUT
    assert process_of(worker) == starting  # its start goes on meanwhile
    worker.close()


def test_only_the_first_start_may_take_long() -> None:
    worker = GradingWorker(WorkerLimits(wall_seconds=20.0, start_seconds=1e-3))
    with pytest.raises(GradingError, match="hung while it started"):
        worker.judge("x", "x")
    assert worker.pid is None


@pytest.mark.slow
def test_a_worker_that_died_between_two_questions_is_replaced(hasty: GradingWorker) -> None:
    hasty.warm_up()
    before = process_of(hasty)
    os.kill(before, signal.SIGKILL)
    assert wait_until(lambda: has_ended(before))
    hasty.warm_up()
    assert process_of(hasty) != before
    assert hasty.judge("x", "x") is Verdict.CORRECT


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows another process's limits")
def test_memory_processor_time_and_files_are_limited(shared: GradingWorker) -> None:
    shared.warm_up()
    pid = process_of(shared)
    for _ in range(2):  # the processor time is granted anew for every comparison
        assert shared.judge(r"\sqrt{5}", "x") is Verdict.INCORRECT
        allowed, _hard = resource.prlimit(pid, resource.RLIMIT_CPU)
        assert 0 < allowed - cpu_seconds_of(pid) <= shared.limits.cpu_seconds + 2
    memory = shared.limits.memory_bytes
    assert resource.prlimit(pid, resource.RLIMIT_AS) == (memory, memory)
    assert resource.prlimit(pid, resource.RLIMIT_FSIZE) == (0, 0)


def test_any_thread_may_ask(shared: GradingWorker) -> None:
    verdicts: dict[int, Verdict] = {}

    def ask(number: int) -> None:
        verdicts[number] = shared.judge(f"x + {number}", f"{number - number % 2} + x")

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert verdicts == {
        number: Verdict.INCORRECT if number % 2 else Verdict.CORRECT for number in range(12)
    }


@pytest.mark.slow
def test_an_interrupted_question_leaves_no_late_reply_behind(
    shared: GradingWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared.warm_up()

    def interrupted(*_arguments: Any) -> bytes | None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(JudgeProcess, "_read_line", interrupted)
        with pytest.raises(KeyboardInterrupt):
            shared.judge("x", "x")
    assert shared.judge("x", "y") is Verdict.INCORRECT


def _ask_in_child(worker: GradingWorker, replies: Any) -> None:
    inherited = worker.pid
    inherited = inherited or worker.standby_pid
    verdict = worker.judge("x+1", "1+x")
    replies.put((inherited, verdict.value, worker.pid, worker.standby_pid))
    worker.close()


@pytest.mark.slow
def test_a_forked_child_starts_a_worker_of_its_own(shared: GradingWorker) -> None:
    shared.warm_up()
    before, waiting = process_of(shared), standby_of(shared)
    context = multiprocessing.get_context("fork")
    replies = context.Queue()
    child = context.Process(target=_ask_in_child, args=(shared, replies))
    with shared._lock, warnings.catch_warnings():  # held by another thread at the fork, say
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking next to threads, 3.12+
        child.start()
    inherited, verdict, *own = replies.get(timeout=60)
    child.join()
    assert (inherited, verdict) == (None, "correct")
    assert not {None, before, waiting} & set(own)
    assert (process_of(shared), standby_of(shared)) == (before, waiting)
    assert shared.judge("x+1", "1+x") is Verdict.CORRECT


@pytest.mark.slow
@pytest.mark.parametrize("end", ["pass", "os.kill(os.getpid(), 9)"])
def test_the_process_ends_with_its_owner(end: str, repository: Path) -> None:
    code = (
        "import os; from econ_env.grading.worker import GradingWorker; w = GradingWorker(); "
        f"w.warm_up(); print(w.pid, w.standby_pid, flush=True); {end}"
    )
    owner = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=repository,
    )
    assert owner.stderr == ""
    pids = [int(pid) for pid in owner.stdout.split()]
    assert len(pids) == 2
    assert wait_until(lambda: all(map(has_ended, pids)))


def test_a_worker_that_cannot_start_says_how_to_see_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "broken judge.py"
    broken.write_text("raise SystemExit(3)")
    monkeypatch.setattr(process_module, "_JUDGE", broken)
    with pytest.raises(GradingError, match="To see why, run"):
        GradingWorker().judge("x", "x")


@pytest.mark.slow
def test_all_attempts_at_a_hostile_answer_take_less_than_two_seconds() -> None:
    assert ATTEMPTS * WorkerLimits().wall_seconds < 2


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        (
            "antlr4_python3_runtime-4.12.0.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: antlr4-python3-runtime\nVersion: 4.12.0\n",
            "Unsupported ANTLR version 4.12.0",
        ),
        (
            "antlr4/__init__.py",
            "raise ModuleNotFoundError(\"No module named 'antlr4'\")\n",
            "No module named 'antlr4'.",
        ),
    ],
)
def test_a_runtime_of_antlr_that_reads_no_formulas_is_named_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, text: str, said: str
) -> None:
    path = tmp_path / file
    path.parent.mkdir()
    path.write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    worker = GradingWorker()
    with pytest.raises(GradingError, match=r"or ==4\.9\.3 beside hydra-core") as caught:
        worker.warm_up()
    assert said in str(caught.value)
    assert "pip install antlr4-python3-runtime==4.13.2" in str(caught.value)
