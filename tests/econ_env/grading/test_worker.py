"""The grading process: killed, replaced, shared by threads, not inherited by forks."""

from __future__ import annotations

import multiprocessing
import os
import random
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
from econ_env.grading.answers import Verdict
from econ_env.grading.process import JudgeProcess
from econ_env.grading.worker import GradingError, GradingWorker, WorkerLimits

JUDGE = process_module._JUDGE
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the worker needs POSIX")


TOO_HARD = r"(x+y+z+1)^{999} - 1"


@pytest.fixture(scope="module")
def shared() -> Iterator[GradingWorker]:
    worker = GradingWorker()
    yield worker
    worker.close()


@pytest.fixture(scope="module")
def hasty() -> Iterator[GradingWorker]:
    """A worker that takes a process for stuck after 20 seconds, time enough on a busy machine."""
    worker = GradingWorker(WorkerLimits(wall_seconds=20.0))
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
@pytest.mark.parametrize("answer", [TOO_HARD, "5^{5^{5^{5^5}}}"])  # the latter hears no handler
def test_a_pair_that_uses_up_its_processor_time_is_asked_of_one_process(
    shared: GradingWorker, answer: str
) -> None:
    shared.warm_up()
    asked, waiting = process_of(shared), standby_of(shared)
    assert shared.judge("5", answer) is Verdict.TIMEOUT
    assert has_ended(asked)
    assert process_of(shared) == waiting
    assert shared.judge("x", "x") is Verdict.CORRECT


@pytest.mark.slow
def test_a_pair_is_asked_again_if_its_process_is_stuck(
    hasty: GradingWorker, caplog: pytest.LogCaptureFixture
) -> None:
    hasty.warm_up()
    stuck = process_of(hasty)
    os.kill(stuck, signal.SIGSTOP)
    assert hasty.judge("x+1", "1+x") is Verdict.CORRECT
    assert has_ended(stuck)
    # The one that waited takes over, unless a busy machine let it end, too.
    assert process_of(hasty) != stuck
    assert not caplog.text


@pytest.mark.slow
def test_a_pair_is_asked_again_if_something_kills_its_process(
    shared: GradingWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared.warm_up()
    killed = process_of(shared)
    ask = JudgeProcess.ask

    def killed_once(process: JudgeProcess, *arguments: Any) -> Verdict | None:
        if process.pid == killed:
            os.kill(killed, signal.SIGKILL)
        return ask(process, *arguments)

    monkeypatch.setattr(JudgeProcess, "ask", killed_once)
    assert shared.judge("x+1", "1+x") is Verdict.CORRECT
    assert process_of(shared) != killed


@pytest.mark.slow
def test_a_pair_whose_processes_all_die_gets_a_verdict_and_a_warning(
    shared: GradingWorker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def dies(process: JudgeProcess, *_arguments: Any) -> None:
        os.kill(process.pid, signal.SIGKILL)

    with monkeypatch.context() as patch:
        patch.setattr(JudgeProcess, "ask", dies)
        assert shared.judge("x+1", "1+x") is Verdict.TIMEOUT
    assert "was not compared" in caplog.text
    assert shared.judge("x+1", "1+x") is Verdict.CORRECT


@pytest.mark.slow
def test_a_process_whose_memory_is_half_full_is_replaced_after_its_reply() -> None:
    worker = GradingWorker(WorkerLimits(memory_bytes=120 << 20))  # sympy needs more than half
    worker.warm_up()
    before = process_of(worker)
    assert worker.judge("x+1", "1+x") is Verdict.CORRECT
    assert process_of(worker) != before
    assert worker.judge("x+2", "1+x") is Verdict.INCORRECT
    worker.close()


def judge_behind(lines: str, path: Path) -> Path:
    """A grading process that runs ``lines`` before it starts."""
    path.write_text(f"{lines}\nimport runpy\nrunpy.run_path({str(JUDGE)!r}, run_name='__main__')")
    return path


@pytest.mark.slow
def test_waiting_for_a_replacement_is_not_part_of_a_pairs_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    worker = GradingWorker(WorkerLimits(cpu_seconds=0.3))
    worker.warm_up()
    late = judge_behind("import time; time.sleep(4)", tmp_path / "late.py")  # a very busy machine
    monkeypatch.setattr(process_module, "_JUDGE", late)
    ask, left = JudgeProcess.ask, []

    def watched(process: JudgeProcess, gold: str, answer: str, deadline: float) -> Verdict | None:
        left.append(deadline - time.monotonic())
        return ask(process, gold, answer, deadline)

    monkeypatch.setattr(JudgeProcess, "ask", watched)
    for _ in range(2):  # of the process in use and the one that waits
        assert worker.judge("5", TOO_HARD) is Verdict.TIMEOUT
    assert worker.judge("x+1", "1+x") is Verdict.CORRECT
    assert len(left) == 3
    assert min(left) > worker.limits.wall_seconds - 2
    worker.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("count", "fault"), [(2, "raise SystemExit(3)"), (1, "time.sleep(999)")], ids=["dies", "hangs"]
)
def test_a_process_that_fails_to_start_is_followed_by_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, count: int, fault: str
) -> None:
    faults = tmp_path / "faults"
    faults.write_text("x" * count)
    flaky = judge_behind(
        f"import pathlib, time\nleft = pathlib.Path({str(faults)!r})\n"
        f"if text := left.read_text():\n    left.write_text(text[1:])\n    {fault}",
        tmp_path / "flaky.py",
    )
    monkeypatch.setattr(process_module, "_JUDGE", flaky)
    worker = GradingWorker(WorkerLimits(start_seconds=45.0))
    assert worker.judge("x+1", "1+x") is Verdict.CORRECT
    assert faults.read_text() == ""
    worker.close()


def test_a_start_that_never_succeeds_ends_with_an_error() -> None:
    worker = GradingWorker(WorkerLimits(start_seconds=1e-3))
    with pytest.raises(GradingError, match="hung while it started, 3 times"):
        worker.judge("x", "x")
    assert worker.pid is None


def fair_pairs() -> list[tuple[str, str, Verdict]]:
    """480 formulas of eight kinds that are equal, or differ, by construction."""
    pairs = []
    for n in range(2, 62):
        verdict, other = (Verdict.CORRECT, n) if n % 2 else (Verdict.INCORRECT, n + 1)
        pairs += [
            (rf"2\sqrt{{{n}}}", rf"\sqrt{{{4 * other}}}", verdict),
            (rf"\frac{{{n}}}{{7}} + \pi", rf"\pi + \frac{{{2 * other}}}{{14}}", verdict),
            (rf"x^2 - {n * n}", rf"(x - {other})(x + {other})", verdict),
            (rf"\left[{n}, \infty\right)", rf"\left[{other}, \infty\right)", verdict),
            (rf"\begin{{pmatrix}} 1 & {n} \end{{pmatrix}}",
             rf"\begin{{pmatrix}} 1 & {other} \end{{pmatrix}}", verdict),
            (rf"\{{{n}, x\}}", rf"\{{x, {other}\}}", verdict),
            (rf"e^{{{n}}} \sin x", rf"\sin(x) e^{{{other}}}", verdict),
            (rf"\log {n} + y", rf"y + \log {other}", verdict),
        ]  # fmt: skip
    return pairs


def bombs() -> list[tuple[str, str, Verdict]]:
    return [
        ("5", text, Verdict.TIMEOUT)
        for n in range(10)
        for text in (rf"(x+y+z+1)^{{{990 + n}}} - {n}", f"{n + 2}^{{9^{{9^{{9}}}}}}")
    ]


def wrongly_judged(pairs: list[tuple[str, str, Verdict]]) -> list[tuple[str, str, Verdict]]:
    """The pairs whose verdict is not the expected one, with the verdict that they got."""
    worker = GradingWorker()
    try:
        return [
            (gold, answer, verdict)
            for gold, answer, expected in pairs
            if (verdict := worker.judge(gold, answer)) is not expected
        ]
    finally:
        worker.close()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_a_verdict_does_not_depend_on_the_neighbours(seed: int) -> None:
    pairs = [*fair_pairs(), *bombs()]
    assert len(pairs) == 500
    random.Random(seed).shuffle(pairs)
    assert wrongly_judged(pairs) == []


@pytest.mark.slow
@pytest.mark.timeout(900)  # the busier the machine already is, the longer this takes
def test_a_verdict_does_not_depend_on_the_load() -> None:
    pairs = [*fair_pairs()[:16], *bombs()[:2]]
    random.Random(0).shuffle(pairs)
    load = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(8)]
    try:
        assert wrongly_judged(pairs) == []
    finally:
        for process in load:
            process.kill()
            process.wait()


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
def test_the_first_formula_of_each_of_many_forked_children_gets_its_verdict(
    shared: GradingWorker,
) -> None:
    shared.warm_up()
    context = multiprocessing.get_context("fork")
    replies = context.Queue()
    children = [context.Process(target=_ask_in_child, args=(shared, replies)) for _ in range(8)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for child in children:
            child.start()
    assert [replies.get(timeout=120)[1] for _ in children] == ["correct"] * 8
    for child in children:
        child.join()


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
