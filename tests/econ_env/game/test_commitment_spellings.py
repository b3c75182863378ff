"""A careful reader finds the value of a commitment in every format that models write."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from econ_env.game.parsing import parse_commitment
from econ_env.grading.answers import grade_answer
from econ_env.grading.verdict import Verdict

SHARED_CASES = Path("/work/shared/cases/commitments.json")
MAX_DIFFERING = 3

TASK = (
    'Reply with one JSON object: {"reason": "A week has 7 days: 12 * 7 = 84 pens.", "value": "84", '
    '"confidence": 0.9}. The value is the final answer alone.'
)


def reads(reply: str, expected: str | None, task: str = "") -> None:
    """Assert that the value of ``reply`` grades equal to ``expected``, or that there is none."""
    value = parse_commitment(reply, task).value
    if expected is None or value is None:
        assert value == expected
    else:
        assert grade_answer(value, expected) is Verdict.CORRECT, value


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("**Reason:** 5 * 8\n**Value:** 40\n**Confidence:** 0.8", "40"),
        ("**Reason**: 5 * 8 **Value**: 40 **Confidence**: 0.8", "40"),
        ("- **reason**: 5 * 8\n- **value**: 40\n- **confidence**: 0.8", "40"),
        ("* Value: 40\n* Confidence: 0.8", "40"),
        ("• Reason: 5 * 8\n• Value: $40\n• Confidence: 80%", "$40"),
        ("1. **Reason**: 5 * 8\n2. **Value**: 40\n3. **Confidence**: 0.8", "40"),
        ("1) Reason: 5 * 8\n2) Value: 40\n3) Confidence: 0.8", "40"),
        ("### Reason\n5 * 8\n### Value\n40\n### Confidence\n0.8", "40"),
        ("## Final Answer\n**40**\n## Confidence\n80%", "40"),
        ("**Value**\n40\n\n**Confidence**\n0.8", "40"),
        ("Reason: 5 * 8. Value: 40. Confidence: 0.8.", "40"),
        ("Value: 40, Confidence: 0.8", "40"),
        ("Value: 40 | Confidence: 0.8", "40"),
        ("Value: 40 (confidence: 0.8)", "40"),
        ("Value = 40; Confidence = 0.8", "40"),
        ("Final Answer: 40\nConfidence: 0.8", "40"),
        ("Answer: 40 pens\nReasoning: 5 * 8 = 40, not 35\nConfidence: 0.8", "40"),
        ("`value`: `40`\n`confidence`: `0.8`", "40"),
        ("> **Value:** 40\n> **Confidence:** 0.8", "40"),
        ("Value: 40\nValue: 41\nConfidence: 0.8", "41"),
        ("**Value:** \\frac{1}{2}\n**Confidence:** 0.8", r"\frac{1}{2}"),
        ("**Value:** $\\frac{1}{2}$ **Confidence:** 0.8", r"\frac{1}{2}"),
        ("**Value:** The answer is 40.\n**Confidence:** 0.8", "40"),
        ("**Value:** \\boxed{40} **Confidence:** 0.8", "40"),
        ("value -> 40\nconfidence -> 0.8", "40"),
        ("**Value:** ...\n**Confidence:** 0.8", None),
        ("**Value:** <your answer>\n**Confidence:** 0.8", None),
        ("**Reason:** I cannot tell.\n**Confidence:** 0.1", None),
        ("Confidence: 0.8", None),
        ("**Confidence:** 95%", None),
    ],
)
def test_markdown_and_plain_lines(reply: str, value: str | None) -> None:
    reads(reply, value)


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("reason: 5 * 8\nvalue: 40\nconfidence: 0.8", "40"),
        ('reason: "5 * 8"\nvalue: "40"\nconfidence: 0.8\nchecklist:\n  agree: true', "40"),
        ("commitment:\n  reason: 5 * 8\n  value: 40\n  confidence: 0.8", "40"),
        ("```yaml\nreason: >-\n  5 * 8\n  = 40\nvalue: 40\nconfidence: 0.8\n```", "40"),
        ("reason: |\n  5 times 8\nvalue: |\n  40\nconfidence: 0.8", "40"),
        ("---\nvalue: '40'\nconfidence: 0.8\n---", "40"),
        ("value: 40  # pens\nconfidence: 0.8", "40"),
        ('reason = "5 * 8"\nvalue = "40"\nconfidence = 0.8', "40"),
        ("value: null\nconfidence: 0.1", None),
    ],
)
def test_yaml_and_toml(reply: str, value: str | None) -> None:
    reads(reply, value)


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("<commitment>\n<reason>5 * 8</reason>\n<value>40</value>\n</commitment>", "40"),
        ("<reason>5 * 8</reason><value>40</value><confidence>0.8</confidence>", "40"),
        ("<reasoning>5 * 8 = 40, 35 is wrong</reasoning>\n<answer>40</answer>", "40"),
        ('<value type="number">40</value> <confidence>0.8</confidence>', "40"),
        ('<commitment value="40" confidence="0.8"/>', "40"),
        ("<Final_Answer>40</Final_Answer><Confidence>80%</Confidence>", "40"),
        ("<value>35</value> no: <value>40</value><confidence>0.8</confidence>", "40"),
        ("<value>...</value><confidence>0.8</confidence>", None),
        ("<reason>5 * 8</reason><value>40", "40"),
        ("&lt;value&gt;40&lt;/value&gt;&lt;confidence&gt;0.8&lt;/confidence&gt;", "40"),
    ],
)
def test_xml(reply: str, value: str | None) -> None:
    reads(reply, value)


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("| Reason | Value | Confidence |\n|---|---|---|\n| 5 * 8 | 40 | 0.8 |", "40"),
        ("| Value | Confidence |\n|:--|--:|\n| **40** | 0.8 |\nDone.", "40"),
        (
            "| Field | Content |\n|---|---|\n| Reason | 5 * 8 |\n| Value | 40 |\n| Sure | 0.8 |",
            "40",
        ),
    ],
)
def test_tables(reply: str, value: str | None) -> None:
    reads(reply, value)


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("{“reason”: “5 * 8”, “value”: “40”, “confidence”: 0.8}", "40"),
        ("{„reason“: „5 * 8“, „value“: „40“}", "40"),
        ("{‘reason’: ‘5 * 8’, ‘value’: ‘40’, ‘confidence’: 0.8}", "40"),
        ("｛“reason”：“5 * 8”，“value”：“40”，“confidence”：0.8｝", "40"),
        ('{"reason"："5 * 8"，"value"：４０，"confidence"：0.8}', "40"),
        ("**Value：** 40\n**Confidence：** 0.8", "40"),
        ("{&#34;reason&#34;:&#34;5 &lt; 8&#34;,&#34;value&#34;:&#34;40&#34;}", "40"),
        ("{&#x22;value&#x22;: &#x22;40&#x22;, &#x22;confidence&#x22;: 0.8}", "40"),
        (json.dumps('{"reason": "5 * 8", "value": "40", "confidence": 0.8}'), "40"),
        (json.dumps(json.dumps('{"value": "40", "confidence": 0.8}')), "40"),
        (r"{\"reason\": \"5 * 8\", \"value\": \"40\", \"confidence\": 0.8}", "40"),
        (r'{"commitment": "{\"value\": \"40\", \"confidence\": 0.8}"}', "40"),
        (r'{"value": "{\"value\": 40, \"confidence\": 0.8}"}', "40"),
    ],
)
def test_quotes_punctuation_and_escapes(reply: str, value: str | None) -> None:
    reads(reply, value)


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ('{"commitment": {"reason": "5 * 8", "value": 40, "confidence": 0.8}}', "40"),
        ('{"response": {"result": {"value": "40", "confidence": 0.8}}}', "40"),
        ('{"reason": "5 * 8", "commitment": {"value": "40"}, "confidence": 0.8}', "40"),
        ('{"name": "commit", "arguments": {"value": "40", "confidence": 0.8}}', "40"),
        ('{"name": "commit", "arguments": "{\\"value\\": \\"40\\", \\"confidence\\": 0.8}"}', "40"),
        ('```json\n[{"reason": "5 * 8", "value": 40, "confidence": 0.8}]\n```', "40"),
        ('{"data": [{"value": 35}, {"value": 40}]}', "40"),
        ('{"draft": {"value": 35}, "final": {"value": 40}}', "40"),
        ('{"value": 40, "alternatives": [{"value": 35}], "confidence": 0.8}', "40"),
        ('{"commitment": {"value": 40}, "members": [{"answer": 35}, {"answer": 30}]}', "40"),
        ('{"value": {"number": 40, "unit": "pens"}, "confidence": 0.8}', "40"),
        ('{"value": {"amount": "40"}, "confidence": 0.8}', "40"),
        ('{"value": {"pens": 40}, "confidence": 0.8}', "40"),
        ('{"value": [{"value": 40}], "confidence": 0.8}', "40"),
        ('{"value": {"type": "string"}, "confidence": {"type": "number"}}', None),
        ('{"properties": {"value": {"type": "integer"}}, "required": ["value"]}', None),
    ],
)
def test_wrappers(reply: str, value: str | None) -> None:
    reads(reply, value)


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ('{"reason": "5 * 8", "answer": "40", "confidence": 0.8}', "40"),
        ('{"reason": "5 * 8", "final_answer": 40, "confidence": 0.8}', "40"),
        ('{"Reason": "5 * 8", "Final Answer": 40, "Confidence": 0.8}', "40"),
        ('{"finalAnswer": "40", "confidence": 0.8}', "40"),
        ('{"VALUE": "40", "CONFIDENCE": 0.8}', "40"),
        ('{"reason": "5 * 8", "solution": "40", "confidence": 0.8}', "40"),
        ("{'reason': '5 * 8', 'value': 40, 'confidence': 0.8, 'checklist': {'agree': True}}", "40"),
        ("{'reason': \"it's 5 * 8\", 'value': '40'}", "40"),
        ("{'reason': 'none says 40', 'value': None, 'confidence': 0.1}", None),
        ("{:reason => '5 * 8', :value => '40', :confidence => 0.8}", "40"),
        ('{"reason" = "5 * 8", "value" = "40", "confidence" = 0.8}', "40"),
        ('Commitment(reason="5 * 8", value="40", confidence=0.8)', "40"),
        ("commit(value='40', confidence=0.8)", "40"),
        (
            '{\n  // my check\n  "reason": "5 * 8", # y\n  "value": 40, /**/ "confidence": 0.8}',
            "40",
        ),
        ('{"reason": "5 * 8"\n "value": "40"\n "confidence": 0.8}', "40"),
        ('{"reason": "he said "8", so 40", "value": "40", "confidence": 0.8}', "40"),
        ('```python\n{"value": 40, "confidence": 0.8,}\n```', "40"),
        ("```\n{value: 40 pens, confidence: 0.8}\n```", "40"),
        ('{"value": +40, "confidence": .8}', "40"),
        ('{"value": 1_000, "confidence": 0.8}', "1_000"),
        ('{"value": 40 pens, "confidence": 0.8}', "40"),
        (
            r'{"reason": "\sqrt{9} \cdot 2", "value": "\frac{3}{4}", "confidence": 0.8}',
            r"\frac{3}{4}",
        ),
        (r'{"value": \frac{3}{4}, "confidence": 0.8}', r"\frac{3}{4}"),
        (r'{"value": "\( \frac{3}{4} \)", "confidence": 0.8}', r"\frac{3}{4}"),
        (r'{"value": "40\%", "confidence": 0.8}', "40%"),
        (r'{"value": "\text{40 pens}", "confidence": 0.8}', "40"),
        (r'{"value": "\tan x", "confidence": 0.8}', r"\tan x"),
    ],
)
def test_keys_and_dialects(reply: str, value: str | None) -> None:
    reads(reply, value)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("The answer is 40 pens.", "40"),
        ("So the total is 40.", "40"),
        ("There are 40 pens in total", "40"),
        ("It's 40", "40"),
        ("Answer: 40", "40"),
        ("#### 40", "40"),
        ("**40**", "40"),
        ("40.", "40"),
        ("40 (all agree)", "40"),
        ("approximately 40", "40"),
        ("5 * 8 = 40", "40"),
        ("n = 40", "40"),
        ("No, because 5 < 8", "no"),
        ("Yes.", "yes"),
        ("No, it is not", "no"),
        ("The answer is no.", "no"),
        ("C) Berlin", "C"),
        ("(C) Berlin", "C"),
        ("C. Berlin", "C"),
        ("C: 40", "C"),
        ("Option C", "C"),
        ("The correct choice is (C).", "C"),
        ("Berlin", "Berlin"),
        ("New York City", "New York City"),
        ("unknown", "unknown"),
        ("x^2 + 1", "x^2 + 1"),
        ("a", "a"),
        ("3 and -3", "3 and -3"),
        ("(1, 2)", "(1, 2)"),
    ],
)
def test_a_value_that_is_a_sentence_is_read_like_a_response(written: str, value: str) -> None:
    reads(json.dumps({"reason": "r", "value": written, "confidence": 0.8}), value)
    reads(f"**Reason:** r\n**Value:** {written}\n**Confidence:** 0.8", value)


@pytest.mark.parametrize(
    "written",
    [
        *("...", "…", "<answer>", "<the final answer>", "[your answer]", "your answer here"),
        *("string", "The final answer", "{answer}", "____", "?", "N/A", "null"),
        *(r"\neq 40", "≠ 40", "not 40"),
    ],
)
def test_a_placeholder_or_a_negation_is_no_value(written: str) -> None:
    for spelling in (
        '{{"reason": "5 * 8", "value": {0}, "confidence": 0.8}}',
        "<value>{1}</value>",
    ):
        reads(spelling.format(json.dumps(written), written), None)
    after = (
        f'{{"value": "40"}}\nThe form was: {{"value": {json.dumps(written)}, "confidence": 0.5}}'
    )
    reads(after, "40")


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ('{"value": "35"}\nWait.\n{"value": "40", "confidence": 0.8}', "40"),
        ('{"value": "40"}\n{"note": "checked"}', "40"),
        ('{"value": "40"}\n{"value": null}', "40"),
        ('{"value": "40"}\n{"value": ""}', "40"),
        ('{"value": "40", "confidence": 0.8}\n{"reason": "so 12 and', "40"),
        (f"{TASK}", None),
        ('{"value": "40", "confidence": 0.8}\nas asked: ' + TASK, "40"),
        (TASK[TASK.index("{") : TASK.index("}") + 1], None),
        ('{"reason": "5 * 8", "value": "the final answer alone"}', None),
    ],
)
def test_the_last_object_with_a_value_counts_and_a_copy_of_the_task_has_none(
    reply: str, value: str | None
) -> None:
    reads(reply, value, TASK)


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ('{"reason": "5 * 8 = 40", "value": "40", "confidence": 0.', "40"),
        ('{"reason": "5 * 8 = 40", "value": 40', "40"),
        ('{"reason": "Response 1 says 35 and response 2 says 40, so 5 times', None),
        ('{"reason": "Two of 3 say', None),
        ('{"reason": "First 12 is halved', None),
        ('{"reason": "The answer is 40, since', "40"),
        (r'{"reason": "it is \boxed{40} as 2 of', "40"),
        ('{"reason": "5 * 8 = 40", "conf', "40"),
        ('{"reason": "All 3 members differ", "confidence": 0.2}', None),
        ('{"value', None),
        ('{"value": ', None),
        ("```json\n{", None),
    ],
)
def test_replies_that_break_off(reply: str, value: str | None) -> None:
    reads(reply, value)


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ('<think>{"value": 35}</think>{"value": 40}', "40"),
        ('[THINK]{"value": 35}[/THINK]{"value": 40}', "40"),
        ('<thought>is it 35?</thought>\n{"value": 40}', "40"),
        ("◁think▷35?◁/think▷ The answer is 40.", "40"),
        ("<|begin_of_thought|>35<|end_of_thought|> The answer is 40.", "40"),
        ('<|channel|>analysis<|message|>35?<|end|><|channel|>final<|message|>{"value": 40}', "40"),
        ("<|channel|>analysis<|message|>It could be 35", None),
        ("[THINK]so it is 35", None),
        ('{"value": 40, "confidence": 0.8}<|im_end|>', "40"),
        ("The answer is 40<|eot_id|>", "40"),
    ],
)
def test_thoughts_and_special_tokens(reply: str, value: str | None) -> None:
    reads(reply, value)


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("It is 40. I am 95% confident.", "40"),
        ("We get 40 (confidence: 0.9)", "40"),
        ("So 40, with a confidence of 0.9", "40"),
        ("40 pens, 90% sure", "40"),
        ("The answer is 40. Confidence level: high (9/10).", "40"),
        ("I am 95% sure.", None),
    ],
)
def test_a_confidence_in_prose_is_no_answer(reply: str, value: str | None) -> None:
    reads(reply, value)


def test_labels_keep_reason_and_confidence() -> None:
    read = parse_commitment("**Reason:** 5 * 8\n**Value:** 40\n**Confidence:** 90% (all agree)")
    assert (read.reason, read.value, read.confidence) == ("5 * 8", "40", 0.9)
    assert read.parse_method == "repaired"


def test_a_wrapped_object_inherits_what_stands_around_it() -> None:
    read = parse_commitment('{"reason": "5 * 8", "commitment": {"value": 40}, "confidence": 0.9}')
    assert (read.reason, read.value, read.confidence) == ("5 * 8", "40", 0.9)


def test_working_with_labels_does_not_hide_the_conclusion() -> None:
    for reply in (
        "Result: 12\nValue per pen: 3\nSo the final answer is 40.",
        "Value: 12 each. The answer is 40.",
        "Answer: 12? No. The answer is 40.",
    ):
        reads(reply, "40")


@pytest.mark.skipif(not SHARED_CASES.exists(), reason=f"{SHARED_CASES} does not exist")
def test_shared_commitment_cases() -> None:
    wrong, invented = [], []
    for case in json.loads(SHARED_CASES.read_text())["cases"]:
        value = parse_commitment(case["reply"]).value
        if case["value"] is None:
            invented += [case["label"]] * (value is not None)
        elif grade_answer(value, case["value"]) is not Verdict.CORRECT:
            wrong.append(case["label"])
    assert not invented
    assert len(wrong) <= MAX_DIFFERING, wrong
