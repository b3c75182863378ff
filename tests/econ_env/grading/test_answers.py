"""Grading: what must be accepted, what must never be, and what must not be computed."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from econ_env.grading.answers import (
    Verdict,
    equivalent,
    extract,
    gold_answer,
    grade,
    grade_answer,
    is_correct,
    readable_gold,
    warm_up,
)


def rows(data_dir: Path, name: str) -> list[dict[str, Any]]:
    lines = (data_dir / name).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def perturbed(answer: str) -> str:
    """``answer`` with its first number one larger; without a number, another answer."""
    if re.search(r"\d", answer):
        return re.sub(r"\d+", lambda run: str(int(run[0]) + 1).zfill(len(run[0])), answer, count=1)
    if r"\text" in answer:
        return answer.replace("}", "ern}")
    return rf"2\left({answer}\right)"


@pytest.mark.parametrize(
    ("answer", "gold"),
    [
        ("70000", "70,000"),
        (r"3\frac12", "3.5"),
        ("50%", "50"),
        ("x=5", "5"),
        ("5", "x=5"),
        (r"\sqrt{8}", r"2\sqrt2"),
        ("2sqrt(2)", r"2\sqrt2"),
        ("288π", r"288 \pi"),
        ("3,-3", r"\pm 3"),
        (r"1+\sqrt{19}, 1-\sqrt{19}", r"1 \pm \sqrt{19}"),
        ("2(k+1)", "2k+2"),
        ("2**3", "8"),
        ("x^10", "x^{10}"),
        ("3+4=7", "7"),
        ("3!", "6"),
        ("-5i+6", "6-5i"),
        ("(3,4]", r"x \in (3,4]"),
        (
            r"\begin{pmatrix}-1/3\\2/3\end{pmatrix}",
            r"\begin{pmatrix} -\frac13 \\ 2/3 \end{pmatrix}",
        ),
        ("5x-7y=-4", "5x - 7y + 4 = 0"),
        (r"\frac{\cos x}{\sin x}", r"\cot x"),
        ("1/2004!", r"\frac{1}{2004!}"),
        ("(3,π/2)", r"\left( 3, \frac{\pi}{2} \right)"),
        (r"\sqrt{2}\text{ cm}", r"\sqrt{2}"),
        (r"5\text{ and }\pi", r"5, \pi"),
        ("3.141593", r"\pi"),
    ],
)
def test_the_same_value_in_another_form_is_correct(answer: str, gold: str) -> None:
    assert grade_answer(answer, gold) is Verdict.CORRECT
    assert equivalent(answer, gold)
    assert equivalent(gold, answer)


@pytest.mark.parametrize(
    ("answer", "gold"),
    [
        # sign loss
        ("5", "-5"),
        (r"\frac{\pi}{6}", r"-\frac{\pi}{6}"),
        ("q-p", "p - q"),
        ("1-1/e", "1+1/e"),
        ("6+5i", "6 - 5i"),
        # percent, scale
        ("0.5", "50"),
        ("50", "0.5"),
        ("70.000", "70,000"),
        ("5 million", "5"),
        ("5 and a half", "5"),
        # tolerance
        ("101", "100"),
        ("0.33", "1/3"),
        ("3.14", r"\pi"),
        ("22/7", r"\pi"),
        ("1/2^{98}", "1/2^{99}"),
        ("1/2006!", "1/2004!"),
        (r"\frac{1}{2006!}", r"\frac{1}{2004!}"),
        (r"2 \cdot 10^{-9}\pi", r"10^{-9}\pi"),
        (r"6.68 \times 10^{-5}", ".0000672"),
        (r"\sqrt{10^{40}+1}", "10^{20}"),
        ("2^{300}+1", "2^{300}"),
        # several values where there is one
        ("12 or 7", "7"),
        ("12, 7", "7"),
        (r"12\text{ or }7", "7"),
        ("8 = 7", "7"),
        # brackets
        ("[2,5)", "(2,5)"),
        ("(2,5]", "[2,5]"),
        ("[3,4]", "(3,4]"),
        (r"[2,\infty)", r"(2,\infty)"),
        (r"x \geq 2", "x > 2"),
        # plus-minus
        ("3", r"\pm 3"),
        (r"\pm 3", "3"),
        (r"-1 \pm \sqrt{19}", r"1 \pm \sqrt{19}"),
        (r"1 + \sqrt{19}", r"1 \pm \sqrt{19}"),
        # what a lenient reader of units or bases drops
        ("2d", "2"),
        ("5m", "5"),
        ("2ab", "2"),
        ("52_7", "52_8"),
        ("5 cents", "5 dollars"),
        # nothing
        ("", "5"),
        (" ", "5"),
        ("-", "-5"),
        (r"\text{ }", "5"),
        ("{}", "5"),
    ],
)
def test_another_value_is_never_correct(answer: str, gold: str) -> None:
    assert grade_answer(answer, gold) is not Verdict.CORRECT
    assert not equivalent(answer, gold)
    assert not equivalent(gold, answer)


@pytest.mark.parametrize(
    ("response", "verdict"),
    [
        (r"\boxed{12} then \boxed{7}", Verdict.CORRECT),
        (r"\boxed{7} then \boxed{12}", Verdict.INCORRECT),
        (r"<think>\boxed{7}</think> so \boxed{7}", Verdict.CORRECT),
        (r"<think>\boxed{7}", Verdict.UNPARSEABLE),
        (r"\boxed{}", Verdict.UNPARSEABLE),
        ("", Verdict.UNPARSEABLE),
        ("I do not know", Verdict.UNPARSEABLE),
        (r"\boxed{\frac{7}}", Verdict.UNPARSEABLE),
        ("#### 7.", Verdict.CORRECT),
        ("7", Verdict.CORRECT),
        ("8", Verdict.INCORRECT),
    ],
)
def test_a_response_gets_one_of_the_verdicts(response: str, verdict: Verdict) -> None:
    assert grade(response, "3 + 4 = <<3+4=7>>7\n#### 7") is verdict


def test_a_missing_answer_and_a_missing_gold_are_never_correct() -> None:
    assert grade_answer(None, "5") is Verdict.UNPARSEABLE
    assert grade_answer("5", "") is Verdict.UNPARSEABLE
    assert grade("", "") is Verdict.UNPARSEABLE
    assert grade(r"\boxed{}", r"\boxed{}") is Verdict.UNPARSEABLE


def test_the_gold_answer_is_found_in_a_solution() -> None:
    assert gold_answer("so 7 * 10 = 70\n#### 70,000") == "70,000"
    assert gold_answer(r"Hence $x = \boxed{\frac{1}{2}}$ as $3 > 2$.") == r"\frac{1}{2}"
    assert gold_answer(" 27 ") == "27"


def test_words_are_graded_where_they_are_the_whole_response() -> None:
    assert grade("Evelyn", "Evelyn") is Verdict.CORRECT
    assert grade("Evelyn", "Helen") is Verdict.UNPARSEABLE
    assert grade(r"It is \boxed{\text{evelyn}}", r"\text{Evelyn}") is Verdict.CORRECT


HOSTILE = [
    "9**9**9",
    "99999999!",
    "5^(5^(5^(5^5)))",
    "2**9999999999",
    r"((9!)!)!",
    r"(99999999+0)!",
    "1" * 100_000,
    "(" * 200 + "1" + ")" * 200,
]


@pytest.mark.slow
@pytest.mark.parametrize("text", HOSTILE)
def test_what_cannot_be_computed_gets_a_verdict_and_the_next_answer_too(text: str) -> None:
    for response in (text, rf"\boxed{{{text}}}"):
        assert grade(response, r"\sqrt{5}") in (
            Verdict.INCORRECT,
            Verdict.UNPARSEABLE,
            Verdict.TIMEOUT,
        )
    assert grade_answer(r"2\sqrt{5}", r"\sqrt{20}") is Verdict.CORRECT


class StrictWorker:
    """A grading process for which every pair is too hard."""

    def __init__(self) -> None:
        self.asked = 0

    def judge(self, gold: str, answer: str) -> Verdict:
        self.asked += 1
        return Verdict.TIMEOUT


def test_a_pair_that_used_up_its_time_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = StrictWorker()
    monkeypatch.setattr("econ_env.grading.answers._worker", worker)
    for _ in range(3):
        assert grade_answer(r"\sqrt{901}", r"\sqrt{902}") is Verdict.TIMEOUT
    assert worker.asked == 1


@pytest.mark.parametrize("gold", ["42", "6 * 7 = <<6*7=42>>42\n#### 42", r"So \boxed{42}."])
def test_correct_is_what_equals_the_answer_of_the_gold_text(gold: str) -> None:
    assert is_correct("42.0", gold)
    assert not is_correct("43", gold)
    assert not is_correct(None, gold)


def test_a_gold_answer_that_cannot_be_read_is_warned_of_once_and_by_name(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert readable_gold("#### 7", "fine:1") == "7"
            assert readable_gold("He has seven. ####", "empty:17") == ""
            readable_gold("9" * 501, "long:3")
    empty, long = (record.getMessage() for record in caplog.records)
    assert "'empty:17'" in empty
    assert "it is empty" in empty
    assert "'long:3'" in long


def test_a_prime_is_no_quote() -> None:
    assert grade_answer("f'(x)+1", "1+f'(x)") is Verdict.CORRECT


@pytest.mark.parametrize("box", ["{}", r"\boxed{{{}}}", "The answer is {}.", "#### {}"])
@pytest.mark.parametrize(
    "code",
    [
        "__import__('os').system('touch {path}')",
        "().__class__.__base__.__subclasses__() or open('{path}','w')",
        "exec(\"open('{path}', 'w')\")",
        "$(touch {path})",
        "`touch {path}`",
        r"\immediate\write18{{touch {path}}}",
        r"\sqrt{{5}} \input{{|touch {path}}}",
    ],
)
def test_nothing_that_is_graded_is_run(code: str, box: str, tmp_path: Path) -> None:
    path = tmp_path / "touched"
    assert grade(box.format(code.format(path=path)), r"\sqrt{5}") is not Verdict.CORRECT
    assert not path.exists()


def test_grading_works_from_any_thread() -> None:
    verdicts: list[Verdict] = []

    def ask(number: int) -> None:
        verdicts.append(grade_answer(f"\\sqrt{{{4 * number}}}", f"2\\sqrt{{{number}}}"))

    threads = [threading.Thread(target=ask, args=(number,)) for number in (2, 3, 5, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert verdicts == [Verdict.CORRECT] * 4


def test_plain_answers_start_no_process_and_import_no_algebra(repository: Path) -> None:
    code = (
        "import sys, econ_env.grading.answers as a; assert a.grade('#### 7', '7') == 'correct'; "
        "print(a._worker.pid, 'sympy' in sys.modules, 'math_verify' in sys.modules)"
    )
    child = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=repository
    )
    assert child.stdout.split() == ["None", "False", "False"]


def test_warming_up_twice_is_harmless() -> None:
    warm_up()
    warm_up()
    assert grade_answer(r"\sqrt{12}", r"2\sqrt{3}") is Verdict.CORRECT


def test_a_verdict_is_its_name_in_json() -> None:
    assert json.dumps([Verdict.CORRECT, Verdict.TIMEOUT]) == '["correct", "timeout"]'


@pytest.mark.parametrize("split", ["train", "test"])
def test_gsm8k_solutions_are_correct_and_changed_ones_are_not(data_dir: Path, split: str) -> None:
    for row in rows(data_dir, f"gsm8k/{split}.jsonl"):
        gold, answer = row["answer"], gold_answer(row["answer"])
        value = int(answer.replace(",", ""))
        for text in (
            gold,
            answer,
            rf"\boxed{{{value}}}",
            f"The answer is ${value:,}.",
            f"{value}.0",
        ):
            assert grade(text, gold) is Verdict.CORRECT, (text, answer)
        for wrong in (value + 1, value - 1, -value or 1, value * 100 or 1, value / 100 or 1):
            assert grade(rf"\boxed{{{wrong}}}", gold) is Verdict.INCORRECT, (wrong, answer)


@pytest.mark.parametrize("split", ["train", "test"])
def test_svamp_answers_are_correct_and_changed_ones_are_not(data_dir: Path, split: str) -> None:
    for row in rows(data_dir, f"svamp/{split}.jsonl"):
        gold = str(row["Answer"])
        assert grade(gold, gold) is Verdict.CORRECT
        assert grade(f"So we have {gold} of them.", gold) is Verdict.CORRECT
        assert grade(perturbed(gold), gold) is Verdict.INCORRECT
        assert grade(f"-{gold}", gold) is Verdict.INCORRECT or float(gold) == 0


def test_math_answers_are_correct_and_changed_ones_are_not(data_dir: Path) -> None:
    for row in rows(data_dir, "math500/test.jsonl"):
        gold = row["answer"]
        for text in (gold, row["solution"], f"So the answer is ${gold}$.", f"Answer: {gold}"):
            assert grade(text, gold) is Verdict.CORRECT, (text, gold)
        assert grade(gold, row["solution"]) is Verdict.CORRECT, gold
        for wrong in (perturbed(gold), f"-{gold}"):
            verdict = grade_answer(wrong, gold)
            assert verdict is not Verdict.CORRECT or gold == "0" or "pm" in wrong, (wrong, gold)


def test_math_formulas_are_correct_in_the_worker_as_well(data_dir: Path) -> None:
    # Another spelling, so that equal texts do not already decide.
    for row in rows(data_dir, "math500/test.jsonl"):
        gold = row["answer"]
        assert grade_answer(rf"\displaystyle {gold}\,", gold) is Verdict.CORRECT, gold


def test_gsm_hard_targets_may_be_rounded_but_not_changed(data_dir: Path) -> None:
    for row in rows(data_dir, "gsm_hard/test.jsonl"):
        target, gold = float(row["target"]), str(row["target"])
        for right in (gold, repr(target), f"{target:,.10f}" if "e" not in gold else gold):
            assert grade(rf"\boxed{{{right}}}", gold) is Verdict.CORRECT, (right, gold)
        if target.is_integer():
            assert grade(f"#### {int(target):,}", gold) is Verdict.CORRECT
        for wrong in (-target, target + 1, target * 1.01, target + 0.01):
            assert grade(rf"\boxed{{{wrong}}}", gold) is not Verdict.CORRECT or wrong == 0, gold


def test_strategyqa_booleans_are_graded(data_dir: Path) -> None:
    for row in rows(data_dir, "strategyqa/test.jsonl"):
        gold = str(row["answer"])
        right, wrong = ("yes", "no") if row["answer"] else ("no", "yes")
        for text in (right, f"So the answer is {right}.", rf"\boxed{{\text{{{right}}}}}", gold):
            assert grade(text, gold) is Verdict.CORRECT
        assert grade(f"So the answer is {wrong}.", gold) is Verdict.INCORRECT
        assert grade("So it has 2 of them.", gold) is Verdict.INCORRECT


def test_extraction_is_part_of_the_public_module() -> None:
    assert extract(r"\boxed{7}") == "7"
