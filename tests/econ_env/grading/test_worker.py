"""The grading process and those it forks: killed, replaced, shared by threads, not inherited."""

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
from types import SimpleNamespace
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


def process_of(worker: GradingWorker) -> int:
    pid = worker.pid
    assert pid is not None
    return pid


def group_of(pid: int) -> set[int]:
    """The grading process ``pid`` and those it has forked, without those that have ended."""
    ps = shutil.which("ps")
    assert ps is not None
    rows = subprocess.run(
        [ps, "-e", "-o", "pid=,pgid=,stat="], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return {
        int(number)
        for number, group, state in map(str.split, rows)
        if int(group) == pid and not state.startswith("Z")
    }


def comparing(worker: GradingWorker) -> int:
    """The process that compares the next pair, once the one before it has ended."""
    pid = process_of(worker)
    children: set[int] = set()

    def forked_one() -> bool:
        children.clear()
        children.update(group_of(pid) - {pid})
        return len(children) == 1

    assert wait_until(forked_one)
    return children.pop()


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
    first = process_of(worker)
    comparing(worker)
    worker.close()
    worker.close()
    assert worker.pid is None
    assert wait_until(lambda: not group_of(first))
    assert worker.judge("x+1", "1+x") is Verdict.CORRECT
    worker.close()


@pytest.mark.slow
@pytest.mark.parametrize("answer", [TOO_HARD, "5^{5^{5^{5^5}}}"])  # the latter hears no handler
def test_the_next_comparison_after_a_bomb_waits_for_no_import(
    shared: GradingWorker, answer: str
) -> None:
    shared.warm_up()
    before, asked = process_of(shared), comparing(shared)
    assert shared.judge("5", answer) is Verdict.TIMEOUT
    assert comparing(shared) != asked
    assert shared.judge("x", "x") is Verdict.CORRECT
    assert process_of(shared) == before  # which has imported everything already


@pytest.mark.slow
def test_a_pair_is_asked_again_if_its_process_is_stuck(caplog: pytest.LogCaptureFixture) -> None:
    worker = GradingWorker(WorkerLimits(wall_seconds=0.5))
    worker.warm_up()
    before = process_of(worker)
    os.kill(comparing(worker), signal.SIGSTOP)
    worker.limits = WorkerLimits()
    assert worker.judge("x+1", "1+x") is Verdict.CORRECT
    assert process_of(worker) != before
    assert wait_until(lambda: not group_of(before))
    assert not caplog.text
    worker.close()


def kill_those_asked(patch: pytest.MonkeyPatch, count: int) -> list[int]:
    """Have the next ``count`` comparisons killed from outside; return the list of all asked."""
    message = JudgeProcess._message
    asked: list[int] = []

    def killed(process: JudgeProcess, deadline: float) -> dict[str, Any]:
        received = message(process, deadline)
        if "taken" in received:
            asked.append(received["taken"])
            if len(asked) <= count:
                os.kill(received["taken"], signal.SIGKILL)
        return received

    patch.setattr(JudgeProcess, "_message", killed)
    return asked


@pytest.mark.slow
def test_a_pair_is_asked_again_if_something_kills_its_process(
    shared: GradingWorker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked = kill_those_asked(monkeypatch, 1)
    # This pair takes long enough to be killed for certain.
    assert shared.judge("5", TOO_HARD) is Verdict.TIMEOUT
    assert len(set(asked)) == 2
    assert not caplog.text  # the second one has used up its time


@pytest.mark.slow
def test_a_pair_whose_processes_all_die_gets_a_verdict_and_a_warning(
    shared: GradingWorker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as patch:
        asked = kill_those_asked(patch, 99)
        assert shared.judge("5", TOO_HARD) is Verdict.TIMEOUT
    assert len(set(asked)) == 2
    assert "was not compared" in caplog.text
    assert shared.judge("x+1", "1+x") is Verdict.CORRECT


@pytest.mark.slow
def test_a_process_that_died_between_two_questions_is_replaced(
    shared: GradingWorker, caplog: pytest.LogCaptureFixture
) -> None:
    shared.warm_up()
    before, forked = process_of(shared), comparing(shared)
    os.kill(forked, signal.SIGKILL)
    assert wait_until(lambda: comparing(shared) != forked)
    assert shared.judge("x+1", "1+x") is Verdict.CORRECT
    assert process_of(shared) == before
    os.kill(before, signal.SIGKILL)
    assert wait_until(lambda: before not in group_of(before))
    assert shared.judge("x+2", "2+x") is Verdict.CORRECT
    assert process_of(shared) != before
    assert not caplog.text


@pytest.mark.slow
def test_a_process_whose_memory_is_half_full_is_replaced_after_its_reply() -> None:
    worker = GradingWorker(WorkerLimits(memory_bytes=100 << 20))  # sympy needs more than half
    worker.warm_up()
    asked = comparing(worker)
    assert worker.judge("x+1", "1+x") is Verdict.CORRECT
    assert wait_until(lambda: asked not in group_of(process_of(worker)))
    assert worker.judge("x+2", "1+x") is Verdict.INCORRECT
    worker.close()


def judge_behind(lines: str, path: Path) -> Path:
    """A grading process that runs ``lines`` before it starts."""
    path.write_text(f"{lines}\nimport runpy\nrunpy.run_path({str(JUDGE)!r}, run_name='__main__')")
    return path


@pytest.mark.slow
def test_starting_is_not_part_of_a_pairs_time(
    shared: GradingWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared.close()
    late = 0.0
    wait_until_ready = JudgeProcess.wait_until_ready

    def hours_later(process: JudgeProcess) -> None:
        nonlocal late
        wait_until_ready(process)
        late += 9999.0

    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + late)
    monkeypatch.setattr(process_module, "time", clock)
    monkeypatch.setattr(JudgeProcess, "wait_until_ready", hours_later)
    assert shared.judge("x+1", "1+x") is Verdict.CORRECT
    assert late == 9999.0


@pytest.mark.slow
def test_a_process_that_dies_or_hangs_while_it_starts_is_followed_by_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    worker = GradingWorker()
    start = worker._start
    started: list[JudgeProcess] = []
    dies = judge_behind("raise SystemExit(3)", tmp_path / "dies.py")
    hangs = judge_behind("import time; time.sleep(999)", tmp_path / "hangs.py")
    scripts = iter([(dies, 300.0), (hangs, 0.5), (JUDGE, 300.0)])

    def next_start() -> JudgeProcess:
        script, seconds = next(scripts)
        monkeypatch.setattr(process_module, "_JUDGE", script)
        worker.limits = WorkerLimits(start_seconds=seconds)
        started.append(start())
        return started[-1]

    monkeypatch.setattr(worker, "_start", next_start)
    assert worker.judge("x+1", "1+x") is Verdict.CORRECT
    assert [process.has_ended() for process in started] == [True, True, False]
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


def wrongly_judged(
    pairs: list[tuple[str, str, Verdict]], limits: WorkerLimits
) -> list[tuple[str, str, Verdict]]:
    """The pairs whose verdict is not the expected one, with the verdict that they got."""
    worker = GradingWorker(limits)
    try:
        return [
            (gold, answer, verdict)
            for gold, answer, expected in pairs
            if (verdict := worker.judge(gold, answer)) is not expected
        ]
    finally:
        worker.close()


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_verdict_does_not_depend_on_the_neighbours() -> None:
    pairs = [*fair_pairs(), *bombs()]
    assert len(pairs) == 500
    random.Random(0).shuffle(pairs)
    assert wrongly_judged(pairs, WorkerLimits(cpu_seconds=0.4)) == []


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_verdict_does_not_depend_on_the_load() -> None:
    pairs = [*fair_pairs()[:16], *bombs()[:2]]
    random.Random(0).shuffle(pairs)
    load = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(8)]
    try:
        assert wrongly_judged(pairs, WorkerLimits()) == []
    finally:
        for process in load:
            process.kill()
            process.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows another process's limits")
def test_memory_processor_time_and_files_are_limited(shared: GradingWorker) -> None:
    shared.warm_up()
    pid = comparing(shared)
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

    def interrupted(*_arguments: Any) -> dict[str, Any]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(JudgeProcess, "_message", interrupted)
        with pytest.raises(KeyboardInterrupt):
            shared.judge("x", "x")
    assert shared.judge("x", "y") is Verdict.INCORRECT


def _ask_in_child(worker: GradingWorker, replies: Any) -> None:
    inherited = worker.pid
    verdict = worker.judge("x+1", "1+x")
    replies.put((inherited, verdict.value, worker.pid))
    worker.close()


@pytest.mark.slow
def test_forked_children_start_processes_of_their_own(shared: GradingWorker) -> None:
    shared.warm_up()
    before = process_of(shared)
    context = multiprocessing.get_context("fork")
    replies = context.Queue()
    children = [context.Process(target=_ask_in_child, args=(shared, replies)) for _ in range(3)]
    with shared._lock, warnings.catch_warnings():  # held by another thread at the fork, say
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking next to threads, 3.12+
        for child in children:
            child.start()
    answers = [replies.get(timeout=250) for _ in children]
    for child in children:
        child.join()
    assert [answer[:2] for answer in answers] == [(None, "correct")] * 3
    assert len({before, *(pid for _, _, pid in answers)}) == 4
    assert process_of(shared) == before
    assert shared.judge("x+1", "1+x") is Verdict.CORRECT


@pytest.mark.slow
@pytest.mark.parametrize("end", ["pass", "os.kill(os.getpid(), 9)"])
def test_the_process_and_those_it_forks_end_with_their_owner(end: str, repository: Path) -> None:
    code = (
        "import os; from econ_env.grading.worker import GradingWorker; w = GradingWorker(); "
        f"w.judge('x', 'y'); print(w.pid, flush=True); {end}"
    )
    owner = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=repository,
    )
    assert owner.stderr == ""
    assert wait_until(lambda: not group_of(int(owner.stdout)))


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
