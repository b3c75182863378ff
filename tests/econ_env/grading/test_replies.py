"""Replies as models write them are graded as a careful person would grade them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from econ_env.grading.answers import Verdict, equivalent, extract, grade, grade_answer, patience


@pytest.fixture(autouse=True)
def no_verdict_depends_on_how_busy_the_machine_is() -> Iterator[None]:
    with patience(60.0):
        yield


RIGHT = {
    "an invented next turn": [
        ("3+4=7\n#### 7\n\nQ: Bob has 2. How many?\nA: 2\n#### 2", "7"),
        ("The answer is 7.\n\nQuestion: What is 2+3?\nThe answer is 5.", "7"),
        ("The answer is 7.\n\n**Question:** What is 2+3?\n\n**Answer:** 5", "7"),
        ("The answer is 7.\n### Question\nWhat is 2+3?\n### Answer\n5", "7"),
        ("The answer is 7.\nQuestion 2: What is 2+3?\nThe answer is 5.", "7"),
        ("The answer is 7.\n\nProblem: What is 2+3?\nThe answer is 5.", "7"),
        ("The answer is 7.\n\nNext question: 2+3?\nThe answer is 5.", "7"),
        ("\\boxed{7}\n\nQuestion: 2+3?\n\\boxed{5}", "7"),
        ("7\n\nQuestion: 2+3?\n5", "7"),
        ("The answer is 7.\nUser: and 2+3?\nAssistant: The answer is 5.", "7"),
        ("3 + 4 = 7\nHuman: and 2+3?\nAssistant: 2 + 3 = 5", "7"),
        ("3 + 4 = 7<|im_end|>\n<|im_start|>user\nand 2+3?<|im_end|>\n2 + 3 = 5", "7"),
        ("The answer is 7<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n5", "7"),
        ("The answer is 7.<end_of_turn>\n<start_of_turn>user\nAnd 5?", "7"),
        ("The answer is 7.</s>[INST] And 2+3? [/INST] The answer is 5.</s>", "7"),
        ("The answer is 7.<|endoftext|>The answer is 5.", "7"),
        ("\\boxed{7}<｜end▁of▁sentence｜><｜User｜>2+3?<｜Assistant｜>\\boxed{5}", "7"),
        ("<|im_start|>assistant\nThe answer is 7.<|im_end|>", "7"),
        ("<|start_header_id|>assistant<|end_header_id|>\n\nThe answer is 7.<|eot_id|>", "7"),
        ("The answer is 7.\n\n问题：2+3等于几？\n答案：5", "7"),
        ("#### 7\nBob has 2 apples and gets 3.\n2+3=5\n#### 5", "7"),
        ("The answer is 7.\n\nExercise 3:\nThe answer is 5.", "7"),
        ("The answer is 7.\n---\nQ: 2+3?\nThe answer is 5.", "7"),
    ],
    "what is no next turn": [
        ("Question: What is 3+4?\nAnswer: 7", "7"),
        ("Q: What is 3+4?\nA: 7", "7"),
        (
            "Question 1: How many are red? The answer is 3.\nQuestion 2: How many are blue? "
            "The answer is 4.\nTogether: the answer is 7.",
            "7",
        ),
        ("#### 5\nWait, that is wrong: I forgot two.\n#### 7", "7"),
        ("The user: asks for 3.\nThe answer is 7.", "7"),
    ],
    "thoughts": [
        ("<thinking>5</thinking>7", "7"),
        ("[THINK]the answer is 5[/THINK]The answer is 7.", "7"),
        ("◁think▷5◁/think▷7", "7"),
        ("<|begin_of_thought|>\\boxed{5}<|end_of_thought|>\\boxed{7}", "7"),
        ("<|channel|>final<|message|>The answer is 7.", "7"),
        (
            "<|start|>assistant<|channel|>analysis<|message|>5<|end|><|start|>assistant"
            "<|channel|>final<|message|>\\boxed{7}<|return|>",
            "7",
        ),
        ("<scratchpad>5 or 6</scratchpad>The answer is 7", "7"),
    ],
    "tags": [
        ("<answer>7</answer>", "7"),
        ("<ANSWER>7</ANSWER> 5", "7"),
        ("<final_answer>7</final_answer>\nConfidence: 0.9", "7"),
        ("<reasoning>5 + 2</reasoning><answer>7", "7"),
        ("<answer>The answer is 7.</answer>", "7"),
        ("<answer>\\boxed{7}</answer>", "7"),
        ("<answer>$\\frac{1}{2}$</answer>", "0.5"),
        ("I put it in <answer></answer> tags: <answer>7</answer>", "7"),
        ("I will use <answer></answer> tags. \\boxed{7}", "7"),
        ("<answer>(B) Paris</answer>", "B"),
        ("<answer>New York City</answer>", "New York City"),
        ("<answer>\n5 + 2 = 7\n7\n</answer>", "7"),
        ("<answer>no</answer> There are 3 reasons.", "no"),
    ],
    "letters": [
        ("Answer: (B) Paris", "B"),
        ("Answer: B) Paris", "B"),
        ("The answer is (B).", "B"),
        ("The answer is **B**.", "B"),
        ("The answer is B: Paris, since it is large.", "B"),
        ("The correct option is (B) 42.", "B"),
        ("The correct choice is B, because 5 > 3.", "B"),
        ("\\boxed{\\textbf{(B)}\\ 42}", "B"),
        ("\\boxed{\\text{B. Paris}}", "B"),
        ("\\boxed{B. Paris}", "B"),
        ("\\boxed{\\text{Option B}}", "B"),
        ("\\boxed{\\textbf{(B) } 42}", "42"),
        ("(B) Paris", "B"),
        ("B. Paris", "Paris"),
        ("B", "B. Paris"),
        ("The answer is Paris.", "B. Paris"),
        ("**Answer: B**", "B"),
        ("$\\boxed{x = 5}$\n\n**Answer: D**", "D"),
        ("So \\boxed{12}. Therefore the answer is (C).", "C"),
        ("Option (B)", "B"),
        ("#### B", "B"),
        ("#### (B)", "B"),
        ("答案是B。", "B"),
        ("答案：（B）", "B"),
        ("故选：B", "B"),
        ("选B", "B"),
        ("The answer is therefore **B**", "B"),
        ("**Answer:** B. Paris\n\n**Explanation:** A. is wrong because of 3.", "B"),
        ("Answer: b) Paris", "B"),
    ],
    "markdown": [
        ("**Final Answer:** 42", "42"),
        ("## Final Answer\n\n42", "42"),
        ("**Answer**\n\n**42**", "42"),
        ("- **Answer:** `42`", "42"),
        ("The answer is:\n\n$$\n42\n$$", "42"),
        ("**42**", "42"),
        ("`42`", "42"),
        ("> **Answer:** 42", "42"),
        ("The answer is \\(42\\).", "42"),
        ("The answer is __42__.", "42"),
        ("**The answer is: 42**", "42"),
        ("Answer → 42", "42"),
        ("Answer => 42", "42"),
        ('The answer is "Paris".', "Paris"),
        ("### Answer: 42", "42"),
        ("#### **42**", "42"),
        ("#### Answer: **42**\n", "42"),
        ("####\n42", "42"),
        ("#### $42", "42"),
        ("#### Paris", "Paris"),
    ],
    "Chinese and full-width forms": [
        ("答案是42个苹果。", "42"),
        ("所以，答案为 42 元。", "42"),
        ("最终答案：４２", "42"),
        ("【答案】42", "42"),
        ("因此答案是：**42**。因为3>2。", "42"),
        ("答え：42", "42"),
        ("答えは42です。", "42"),
        ("정답: 42", "42"),
        ("\\boxed{４２}", "42"),
        ("\\boxed{（３，４）}", "(3,4)"),
        ("Answer：４２", "42"),
        ("\\boxed{－５}", "-5"),
        ("\\boxed{5万}", "50000"),
        ("\\boxed{42元}", "42"),
        ("Ｔｈｅ ａｎｓｗｅｒ ｉｓ ４２．", "42"),
        ("答案是１，２３４。", "1234"),
        ("答：42", "42"),
    ],
    "JSON": [
        ('{"answer": 42, "confidence": 0.9}', "42"),
        ('Here it is: {"answer": 42, "confidence": 0.9} Done in 3 steps.', "42"),
        ('```json\n{\n  "final_answer": "42",\n  "confidence": 0.9\n}\n```', "42"),
        ("{'answer': 42, 'confidence': 0.9}", "42"),
        ('{"reasoning": "the answer is 5?", "answer": "7"}', "7"),
        ('{"answer": "\\\\frac{1}{2}", "confidence": 1}', "1/2"),
        ('{"answer": "\\frac{1}{2}"}', "1/2"),
        ('{"answer": "Paris", "year": 2024}', "Paris"),
        ('{"answer": true, "confidence": 0.9}', "yes"),
        ('{"answer": [3, 4]}', "3, 4"),
        ('{"value": 42, "confidence": 0.9}', "42"),
        ('{"answer": "42 apples", "confidence": 0.9}', "42"),
        ('{"answer": "B", "confidence": 0.9}', "B"),
        ("{“answer”: 42, “confidence”: 0.9}", "42"),
        ('{"answer": -1.5e3, "n": 2}', "-1500"),
    ],
    "several boxes": [
        ("\\boxed{3} and \\boxed{-3}", "3, -3"),
        ("$\\boxed{3}$ or $\\boxed{-3}$", "\\pm 3"),
        ("\\boxed{3}, \\boxed{5}, and \\boxed{7}", "3, 5, 7"),
        ("$x = \\boxed{3}$ and $y = \\boxed{5}$", "(3, 5)"),
        ("\\(\\boxed{3}\\) and \\(\\boxed{5}\\).", "5, 3"),
        ("\\boxed{3} \\text{ or } \\boxed{5}", "3, 5"),
        ("\\boxed{\\frac{1}{2}} or \\boxed{0.5}", "1/2"),
        ("\\boxed{3}；\\boxed{5}", "3,5"),
        ("\\boxed{3} 和 \\boxed{5}", "3,5"),
        ("First \\boxed{12}, then \\boxed{7}", "7"),
    ],
    "boxes that are only spoken of": [
        ("I write it in \\boxed{}. The answer is 42.", "42"),
        ("\\boxed{42} (as asked, inside \\boxed{})", "42"),
        ("Format: \\boxed{answer}\n\\boxed{42}", "42"),
        ("\\boxed{42}\n(The format was \\boxed{\\text{your answer}}.)", "42"),
        ("\\boxed{42} is of the form \\boxed{...}", "42"),
        ("The answer is $\\boxed{42", "42"),
    ],
    "fractions, roots and powers": [
        ("The answer is ¾.", "0.75"),
        ("\\boxed{2½}", "5/2"),
        ("2 ½", "2.5"),
        ("He drinks 1½ litres.", "1.5"),
        ("\\boxed{√3}", "\\sqrt{3}"),
        ("The answer is √12.", "2\\sqrt{3}"),
        ("\\boxed{5√(2)}", "5\\sqrt{2}"),
        ("\\boxed{∛8}", "2"),
        ("\\boxed{x² + 1}", "x^2+1"),
        ("\\boxed{10⁻²}", "0.01"),
        ("\\boxed{2·10³}", "2000"),
        ("\\boxed{log₂8}", "3"),
        ("\\boxed{3⁄4}", "0.75"),
        ("\\boxed{7 ÷ 2}", "3.5"),
        ("\\boxed{3 × 10⁵}", "300000"),
        ("So it is \\frac{3}{4} in the end", "3/4"),
        ("The answer is ⅓ of it", "1/3"),
        ("The area is 9π", "9\\pi"),
        ("\\boxed{2√3 cm}", "2\\sqrt{3}"),
        ("The answer is −½.", "-0.5"),
        ("The answer is √3/2.", "\\frac{\\sqrt{3}}{2}"),
        ("\\boxed{101₂}", "101_2"),
        ("\\boxed{x ≥ 5}", "x \\ge 5"),
        ("\\boxed{±3}", "\\pm 3"),
    ],
    "invisible characters": [
        ("The answer is 4\u200b2.", "42"),
        ("\ufeff42", "42"),
        ("\\boxed{\u206042}", "42"),
        ("\\boxed{4\u00ad2}", "42"),
        ("The\u00a0answer\u00a0is\u00a042.", "42"),
        ("\\boxed{\u202a42\u202c}", "42"),
        ("𝟒𝟐", "42"),
    ],
    "money": [
        ("\\boxed{18 €}", "18"),
        ("The answer is 18$.", "18"),
        ("The answer is 18 USD.", "18"),
        ("The answer is USD 18.", "18"),
        ("The answer is EUR 18.", "18"),
        ("The answer is Rs. 1,50,000", "150000"),
        ("The answer is ₹500.", "500"),
        ("\\boxed{US$18}", "18"),
        ("\\boxed{\\text{\\$}18}", "18"),
        ("\\boxed{\\pounds 18}", "18"),
        ("\\boxed{18\\text{ dollars}}", "$18"),
        ("The answer is £18.50 per day.", "18.5"),
        ("The answer is $2.5M.", "2500000"),
        ("The answer is $3bn", "3000000000"),
        ("\\boxed{\\$15k}", "15000"),
        ("The answer is -$5.", "-5"),
    ],
    "groups of digits": [
        ("\\boxed{12\u2009345}", "12345"),
        ("\\boxed{12\u202f345}", "12345"),
        ("\\boxed{12'345}", "12345"),
        ("The answer is 1’234’567.", "1234567"),
        ("The answer is 1 234 567 apples.", "1234567"),
        ("\\boxed{1,00,000}", "100000"),
        ("\\boxed{12,34,567}", "1234567"),
        ("\\boxed{12\\;345}", "12345"),
        ("\\boxed{12~345}", "12345"),
        ("\\boxed{12{,}345{,}678}", "12345678"),
        ("We get 12\u202f345 in all", "12345"),
        ("\\boxed{1.234.567}", "1234567"),
        ("\\boxed{1.234,5}", "1234.5"),
        ("\\boxed{1 234,50}", "1234.5"),
        ("\\boxed{3{,}5}", "3.5"),
        ("\\boxed{3,5 €}", "3.5"),
        ("\\boxed{12,75 kg}", "12.75"),
        ("It costs 1.234,50 € in all", "1234.50"),
        ("\\boxed{0,25}", "0.25"),
    ],
    "units and percent": [
        ("\\boxed{25 percent}", "25"),
        ("\\boxed{0.25}", "25\\%"),
        ("\\boxed{5\\textnormal{ cm}}", "5"),
        ("\\boxed{5\\,\\mathrm{cm}}", "5"),
        ("\\boxed{5 cm²}", "5"),
        ("\\boxed{60 km/h}", "60"),
        ("\\boxed{45º}", "45"),
        ("\\boxed{about 5}", "5"),
        ("\\boxed{\\approx 3.14}", "3.14"),
        ("\\boxed{x \\approx 3.14}", "3.14"),
        ("The answer is approximately 12.5 miles.", "12.5"),
        ("\\boxed{5 lakh}", "500000"),
    ],
    "commands": [
        ("\\boxed{\\textnormal{Paris}}", "Paris"),
        ("\\boxed{\\textnormal{B}}", "B"),
        ("\\boxed{\\mathsf{42}}", "42"),
        ("\\boxed{\\boldsymbol{42}}", "42"),
        ("\\boxed{\\underline{42}}", "42"),
        ("\\boxed{\\operatorname{yes}}", "yes"),
        ("\\boxed{\\emptyset}", "\\varnothing"),
        ("\\boxed{∅}", "\\emptyset"),
        ("\\boxed{\\{\\}}", "\\emptyset"),
        ("\\boxed{\\text{empty set}}", "\\emptyset"),
        ("\\boxed{∞}", "\\infty"),
        ("\\boxed{\\text{infinity}}", "\\infty"),
        ("\\boxed{-∞}", "-\\infty"),
        ("\\boxed{[1, ∞)}", "[1,\\infty)"),
        ("\\boxed{(-\\infty, 2] \\cup [3, \\infty)}", "(-∞,2]∪[3,∞)"),
        ("\\boxed{\\text{DNE}}", "does not exist"),
        (
            "\\boxed{\\begin{pmatrix}1 & 2\\\\3 & 4\\end{pmatrix}}",
            "\\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}",
        ),
    ],
    "number words": [
        ("The answer is twelve.", "12"),
        ("The answer is Twenty.", "20"),
        ("The answer is five apples.", "5"),
        ("\\boxed{\\text{seven}}", "7"),
        ("The answer is zero.", "0"),
        ("The answer is two dozen.", "24"),
        ("The answer is twenty-one.", "21"),
        ("The answer is minus three.", "-3"),
        ("Fifteen", "15"),
        ("12", "twelve"),
    ],
    "yes and no": [
        ("No. He was born in 1950.", "no"),
        ("**Yes**, since 3 > 2.", "yes"),
        ("Yes\nThere are 3 reasons.", "yes"),
        ("False, because 2 < 3.", "no"),
        ("The answer is: **No**.", "no"),
        ("No, there are 7 left: 10 - 3 = 7", "7"),
    ],
    "dates, times and remainders": [
        ("The answer is 1 March 2024.", "March 1, 2024"),
        ("\\boxed{\\text{March 1, 2024}}", "2024-03-01"),
        ("The answer is March 1st, 2024", "March 1, 2024"),
        ("The answer is 05:30.", "5:30"),
        ("The answer is 5:30 p.m.", "5:30 PM"),
        ("The answer is 5 remainder 2.", "5 R 2"),
    ],
    "mixed numbers, sets and equations": [
        ("\\boxed{3\\tfrac{1}{2}}", "3.5"),
        ("The answer is 3 1/2 cups.", "7/2"),
        ("\\boxed{\\{2, 1\\}}", "\\{1,2\\}"),
        ("\\boxed{1, 2, 3}", "3, 2, 1"),
        ("The answer is x = 5.", "5"),
        ("\\boxed{x = 5}", "x=5"),
        ("\\boxed{(2, 5]}", "(2,5]"),
        ("\\boxed{5 + 3 = 8}", "8"),
        ("\\boxed{\\frac{3}{6}}", "1/2"),
        ("\\boxed{(\\frac12, 3)}", "(0.5,3)"),
    ],
}

WRONG = {
    "no answer": [
        ("The formula of water is H2O.", "2"),
        ("Version v2.0 is out", "0"),
        ("Model X5-2 was built", "2"),
        ("See RFC2119 and MP3", "3"),
        ('{"answer": "", "n": 5}', "5"),
        ("The code is AZYUK2A.", "2"),
        ("The gene is BRCA1 or p53.", "53"),
        ("It may be COVID-19.", "19"),
        ("The hash is a3f9c2.", "2"),
        ("The plate reads 7ABC123.", "7"),
        ("I did step 3 and stopped", "3"),
        ("1. Add the parts.\n2. I do not know.", "2"),
        ('{"answer": null, "confidence": 0.9}', "0.9"),
        ("I am unsure. Confidence: 0.9", "0.9"),
        ("\\boxed{}", "0"),
        ("The answer is in \\boxed{}.", "0"),
        ("\\boxed{answer}", "answer"),
        ("<answer></answer>", "0"),
        ("<|channel|>analysis<|message|>We need 3*5=15", "15"),
        ("<think>7", "7"),
        ("[THINK]the answer is 7", "7"),
        ("", "0"),
    ],
    "another answer": [
        ("\\boxed{3.5}", "3, 5"),
        ("\\boxed{3.5}", "3,5"),
        ("\\boxed{12.25}", "12,25"),
        ("\\boxed{1,2}", "12"),
        ("\\boxed{1,234}", "1.234"),
        ("\\boxed{1.234}", "1234"),
        ("\\boxed{1,23,456}", "1"),
        ("\\boxed{3,50}", "350"),
        ("\\boxed{3,50 €}", "350"),
        ("\\boxed{2}", "½"),
        ("\\boxed{12}", "1½"),
        ("\\boxed{x2}", "x²"),
        ("\\boxed{3}", "√3"),
        ("\\boxed{√32}", "√3 \\cdot 2"),
        ("\\boxed{23}", "2√3"),
        ("\\boxed{52}", "5²"),
        ("\\boxed{5}", "fifteen"),
        ("\\boxed{six}", "7"),
        ("\\boxed{two thirds}", "2"),
        ("\\boxed{five and a half}", "5"),
        ("\\boxed{Seven Samurai}", "7"),
        ("\\boxed{one of them}", "1"),
        ("\\boxed{twenty}", "21"),
        ("\\boxed{\\text{Option C}}", "B"),
        ("\\boxed{C. Paris}", "B. Paris"),
        ("\\boxed{B. London}", "B. Paris"),
        ("\\boxed{B}", "A. B"),
        ("The answer is either A or B", "A"),
        ("\\boxed{A, B}", "A"),
        ("\\boxed{3√2}", "2√3"),
        ("The area is 9π", "9"),
        ("\\boxed{10³}", "103"),
        ("\\boxed{\\frac{10}{3} \\approx 3.33}", "3"),
        ("The answer is March 1, 2024", "2024"),
        ("The answer is 5 R 2", "5"),
        ("\\boxed{12:30}", "12.5"),
        ("The answer is (A) and (C).", "A"),
        ("The answer is (A) or (B).", "B"),
        ("\\boxed{a}", "A"),
        ("\\boxed{b}", "B"),
        ("\\boxed{\\{0\\}}", "\\emptyset"),
        ("\\boxed{0}", "\\emptyset"),
        ("\\boxed{\\infty}", "-\\infty"),
        ("\\boxed{2024-02-03}", "2024-03-02"),
        ("\\boxed{2020}", "2024-03-01"),
        ("The answer is March 2, 2024.", "March 1, 2024"),
        ("\\boxed{03/01/2024}", "01/03/2024"),
        ("\\boxed{5:31}", "5:30"),
        ("\\boxed{2 R 5}", "5 R 2"),
        ("\\boxed{18 €}", "$18"),
        ("\\boxed{\\$15}", "15000"),
        ("\\boxed{15k}", "15"),
        ("\\boxed{5万}", "5"),
        ("\\boxed{5个半}", "5"),
        ("\\boxed{3分之1}", "3"),
        ("\\boxed{5 lakh}", "5"),
        ("\\boxed{3} and \\boxed{5}", "5"),
        ("\\boxed{3} or \\boxed{5}", "3"),
        ("\\boxed{12\\,345}", "12"),
        ("\\boxed{1.234,50}", "1.234"),
        ("The answer is 7.\n\nQuestion: What is 2+3?\nThe answer is 5.", "5"),
        ("#### 7\nBob has 5 apples.\n#### 5", "5"),
        ("<answer>7</answer> 5", "5"),
        ('{"answer": 42, "confidence": 0.9}', "0.9"),
        ("Yes, because 3 > 2.", "2"),
        ("Yes, because 3 > 2.", "no"),
        ("答案是42。", "4"),
        ("\\boxed{\\approx 3.14}", "\\pi"),
        ("\\boxed{3 1/2}", "31/2"),
        ("\\boxed{-5}", "5"),
        ("\\boxed{１２}", "21"),
        ("\\boxed{4\u200b2}", "4"),
        ("\\boxed{[2,5)}", "(2,5)"),
        ("\\boxed{(3,4)}", "(4,3)"),
        ("\\boxed{25\\%}", "2.5"),
        ("\\boxed{100 200}", "100"),
    ],
}


def flat(cases: dict[str, list[tuple[str, str]]]) -> list[object]:
    return [
        pytest.param(response, gold, id=f"{kind}-{number}")
        for kind, pairs in cases.items()
        for number, (response, gold) in enumerate(pairs)
    ]


@pytest.mark.parametrize(("response", "gold"), flat(RIGHT))
def test_what_a_careful_person_accepts_is_correct(response: str, gold: str) -> None:
    assert grade(response, gold) is Verdict.CORRECT, extract(response)


@pytest.mark.parametrize(("response", "gold"), flat(WRONG))
def test_what_a_careful_person_rejects_is_not_correct(response: str, gold: str) -> None:
    assert grade(response, gold) is not Verdict.CORRECT, extract(response)


def test_the_answer_is_nowhere_where_there_is_none() -> None:
    for response in ("The formula is H2O.", "AZYUK2A", '{"answer": null, "confidence": 0.9}'):
        assert extract(response) is None, response


def test_a_choice_and_its_text_are_the_same_answer_to_a_vote() -> None:
    assert equivalent("B. Paris", "B")
    assert equivalent("B. Paris", "Paris")
    assert not equivalent("B. Paris", "C. Paris")
    assert not equivalent("A", "B")


def test_a_decimal_comma_is_read_only_in_an_answer() -> None:
    assert grade_answer("3,50", "3.50") is Verdict.CORRECT
    assert grade_answer("3.50", "3,50") is Verdict.INCORRECT


def test_at_most_a_few_of_the_shared_cases_differ_and_none_is_a_false_positive(
    data_dir: Path,
) -> None:
    shared = data_dir.parent / "cases" / "answers.json"
    if not shared.is_file():
        pytest.skip(f"no shared cases at {shared}")
    cases = json.loads(shared.read_text(encoding="utf-8"))["cases"]
    graded = [(case, grade(case["response"], case["gold"]) is Verdict.CORRECT) for case in cases]
    differing = [case["label"] for case, is_correct in graded if is_correct != case["correct"]]
    falsely_right = [case["label"] for case, is_correct in graded if is_correct > case["correct"]]
    print(f"{len(differing)} of {len(cases)} shared cases differ: {differing}")
    assert falsely_right == []
    assert len(differing) <= 0.08 * len(cases)
