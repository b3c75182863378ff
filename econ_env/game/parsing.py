"""Parsing of a coordinator's texts: its commitment, and its strategy without a leaked answer.

A commitment is asked for as one JSON object. Models return it in code fences, with trailing
commas, single quotes, LaTeX whose backslashes are not escaped, inside another object, cut off at
the token limit, or as Markdown, YAML or XML. :func:`parse_commitment` reads all of these and
records how (``parse_method``), so that reports can tell a clean reply from a repaired one. Nothing
is evaluated, no parser recurses deeply, and the time is linear in the length of the text.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from econ_env.game.committed_value import (
    OTHER_VALUE_NAMES,
    UNSTATED,
    VALUE_NAMES,
    is_left_blank,
    named,
    value_text,
)
from econ_env.game.intake import MAX_ANSWER_CHARACTERS
from econ_env.game.labelled import labelled_entries
from econ_env.game.loose_json import Value, loose_objects, restore_latex
from econ_env.grading.extraction import Found, find_answer, outside_think
from econ_env.text import encodable

MAX_CHARACTERS = 50_000
"""Maximum length of a reply that needs repair; only the end of a longer one is read."""
MIN_COPIED_CHARACTERS = 20
"""Minimum length of a copied reason: shorter ones may match the instructions by chance."""
MAX_STRATEGY_CHARACTERS = 2_000
"""Maximum length of a strategy, longer than 50 tokens unless a server ignored that limit."""
_MAX_CHECKS = 16
_REASON_NAMES = ("reason", "reasoning", "rationale", "explanation", "justification")
_CONFIDENCE_NAMES = ("confidence", "confidencelevel", "confidencescore", "certainty")
MAX_WRAPPERS = 4
"""Objects inside one another in which a value is looked for."""
_CHECKLIST_NAMES = ("checklist", "check", "checks")

_THOUGHT_MARK = re.compile(
    r"\[(/?)THINK\]|<(/?)(?:thoughts?|seed:think)>|◁(/?)think▷|<\|(begin|end)_of_thought\|>",
    re.IGNORECASE,
)
"""The marks of a thought that some models write instead of ``<think>``."""
_CHANNEL = "<|channel|>"
_SPECIAL_TOKEN = re.compile(r"<\|[a-z_]{1,20}\|>")

_HTML = dict.fromkeys(("&quot;", "&#34;", "&#x22;"), '"') | dict.fromkeys(
    ("&apos;", "&#39;", "&#x27;"), "'"
)
_HTML |= {"&lt;": "<", "&gt;": ">", "&nbsp;": " ", "&amp;": "&"}
_HTML_ESCAPE = re.compile("|".join(_HTML))
_PLAIN_PUNCTUATION = (
    {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}  # full width
    | dict.fromkeys(map(ord, "“”„‟«»「」"), '"')
    | dict.fromkeys(map(ord, "‘’‚‛"), "'")
    | {ord("、"): ",", ord("。"): ".", ord("【"): "[", ord("】"): "]", ord("\u3000"): " "}
)
_SAID_CONFIDENCE = re.compile(
    r"\b(?:confidence|certainty)\b[^\d\n]{0,30}+\d[\d.,/]*+\s*+%?"
    r"|(?<![\d.,])(?:\d++(?:\.\d++)?\s?(?:%|percent)|0?\.\d++)\s?(?:confiden(?:t|ce)|certain|sure)\b",
    re.IGNORECASE,
)
"""A confidence in prose, whose number is no answer."""
_CONCLUDES = re.compile(
    r"(?:[=:≈→]|\b(?:is|are|be|equals|gives?|makes?|gets?|leaves?|totals?|to))\s*+"
    r"(?:about |exactly )?[$€£¥₹(*\\-]{0,3}\Z",
    re.IGNORECASE,
)
"""Text in front of a number that a reason concludes with."""
_SHARE = re.compile(r"(?:about |~|≈)?\s*+(\d++(?:\.\d++)?\s?%?)(?:[.,;]|\s*\(.*|\s*[-–—].*)?")
"""A confidence with a remark behind it, as in "90% (all agree)"."""

_STEP_END = re.compile(
    r"(?:^[ \t]*|(?<=[.!?]\s))\d{1,3}[.)]|(?P<end>[.!?](?=\s|\Z)|(?<=\S)[ \t]*\n)", re.MULTILINE
)
"""End of a sentence or line; the dot of a step's number ("2.") is not one."""
_WORD = re.compile(r"\S+")
_PIECE = re.compile(r"[A-Za-z\u00C0-\u024F]{1,12}|\d{1,3}|[^\W\d_]{1,2}|[^\w\s]|_")

Method = Literal["json", "repaired", "boxed", "last_number", "none", "copied"]

_DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=lambda name: None)
"""Decoder that keeps numbers as written: 0.10 is not 0.1, and no digit of a long one is lost."""

_NUMBER_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty "
    "ninety hundred thousand"
)
_FILLERS = (
    r"number(?!\s+of\b) about approximately around roughly exactly simply just equal to probably "
    "likely be the a an therefore thus hence then so minus negative total of value"
)
_LEFT_TO = "us you him her them it with a total of exactly about only just the"
_ABOUT_THE_ANSWER = (
    "found given positive negative correct wrong rounded reasonable unknown asked add subtract "
    "multiply divide count compare sum"
)
_LEAK = re.compile(
    r"\\boxed|\\fbox|#{4}"
    r"|(?:=>|⇒|→|->)\s*[$€£]?[-−]?\d"
    # A conclusion without the word "answer".
    r"|\b(?:it\s+equals|(?:it|total|sum)\s+(?:comes|amounts)\s+to|(?:total|final)\s*[:=])"
    r"\s*[$€£]?[-−]?\d"
    r"|(?<![\d.,])\d[\d.,]{0,20}\s+(?:plus|minus|times|divided\s+by)\s+\d[\d.,]{0,20}\s+(?:is|equals|makes|gives)\s+"
    r"[$€£]?[-−]?\d"
    r"|\d[\d\s.+*/×÷()-]{0,60}=\s*[$€£]?[-−]?\d"
    # What a step comes to: "which leaves 27", "leaving her with 27", "so 27 apples remain".
    r"|,?\s*\b(?:(?:which|that|this)\s+(?:leaves|gives|makes|yields)|leaving|yielding)\s+"
    rf"(?:(?:{'|'.join(_LEFT_TO.split())})\s+){{0,3}}[$€£]?[-−]?\d"
    r"|,?\s*\b(?:(?:which|this|that)\s+(?:is|results\s+in|comes\s+to)|giving|resulting\s+in"
    r"|left\s+with)\s+(?:only\s+)?[$€£]?[-−]?\d(?:[\d,]|\.\d){0,20}(?:\s+[a-z]{1,20})?\s{0,3}(?:[.;!\n]|\Z)"
    r"|,?\s*\b(?:so|thus|hence|therefore|then)\b,?\s+(?:there\s+(?:are|is|will\s+be)\s+"
    r"|(?:he|she|it|they|we)\s+(?:has|have)\s+)?(?:only\s+)?"
    r"[$€£]?[-−]?\d[\d.,]{0,20}\s+(?:[a-z]{1,20}\s+){0,2}"
    r"(?:remains?|(?:(?:are|is)\s+)?left|in\s+total|altogether)\b"
    r"|(?:\b(?:so|thus|hence|therefore|then)\b,?\s*)?(?:\b(?:the|our|my)\s+)?"
    r"(?:\b(?:final|correct|overall)\s+)?"
    # A number or number word after "is", after a colon, or directly ("final answer 42") ...
    r"(?:\b(?:answer|result|solution|(?:final|correct)\s+(?:value|number|choice|option)"
    r"|expected\s+(?:value|answer|result|total)(?!\s+of\b))\b"
    r"(?:,\s*(?:then|therefore|thus|hence|so),)?[\s*_]*+"
    r"(?:is|are|equals|comes\s+(?:out\s+)?to|(?:will|would|must|should)\s+be)?"
    rf"(?:[^\w\n.;]|_|\b(?:{'|'.join(_FILLERS.split())})\b){{0,12}}"
    rf"(?:\d(?![\d.,]*+-[a-z])|\([A-H]\)|\b(?:{'|'.join(_NUMBER_WORDS.split())})\b)"
    # ... or a single word that ends the sentence ("Answer: Paris").
    r"|\banswer\b[\s*_]*+(?:is\b|(?:will|would|must)\s+be\b|[:：=])[\s*_:]*+"
    rf"(?!(?:{'|'.join(_ABOUT_THE_ANSWER.split())})\b)[^\s.,;!]{{1,80}}+"
    r"[^\S\n]*+(?:[.,;!\n]|\Z))",
    re.IGNORECASE,
)
_LEAK_SIGNS = (
    *("answer", "result", "solution", "final", "correct", "total", "equals", "comes"),
    *("expected", "leaves", "leaving", "gives", "makes", "yield", "remain", "left", "altogether"),
    *("which is", "this is", "that is", "giving", "amounts", "results in", "resulting"),
    *("plus", "minus", "times", "divided"),
    *("boxed", "fbox", "####", "=", "⇒", "→", "->"),
)
"""Quick test: a strategy without any of these cannot match ``_LEAK``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Commitment:
    """A coordinator's conclusion, parsed from its reply."""

    value: str | None
    """The final answer as text, numbers exactly as written; None if there is none."""
    reason: str = ""
    confidence: float | None = None
    """Confidence in [0, 1]; a number above 1 is read as a percentage. None if it is missing, not a
    number, negative or above 100 %."""
    checklist: dict[str, bool] = field(default_factory=dict)
    parse_method: Method


def parse_commitment(text: str, task: str = "") -> Commitment:
    r"""Read a commitment from a coordinator's reply.

    The methods are tried in this order; the first that finds a value wins:

    * ``json``: the whole reply is one JSON object with a ``value``. Of equal keys the last counts.
    * ``repaired``: entries can be read with tolerance: of an object (also inside others, escaped or
      encoded twice), or behind labels in Markdown, YAML, XML and the like. Of several objects the
      last with a value counts. A value that is a sentence is read like a response.
    * ``boxed``: the last balanced ``\boxed{...}``. If it is empty, there is no value.
    * ``last_number``: any other way to find an executor's answer
      (:func:`econ_env.grading.extraction.find_answer`): behind ``####``, behind an answer phrase,
      a reply that consists of one value, or else the last number that is no confidence.
    * ``copied``: no value, since the reply repeats its instructions.
    * ``none``: no value at all: ``"value": null``, or a placeholder that was not filled in.

    If there is a reason but no value, ``boxed`` and ``last_number`` search only the reason, for a
    conclusion: its other numbers are not the answer, and the confidence never is. A thought is
    never read.

    Args:
        text: the reply.
        task: instructions of the request; a value of three or more words, or a reason of
            :data:`MIN_COPIED_CHARACTERS` or more, that stands in it word for word is copied.
    """
    text = _decoded_text(spoken(text).strip())
    entries = _strict_object(text)
    if entries is not None and "value" in entries:
        raw = entries["value"]
        value = value_text(raw)
        if value is not None:
            damaged = isinstance(raw, str) and restore_latex(raw) != raw
            return _unless_copied(value, entries, "repaired" if damaged else "json", task)
        if is_left_blank(raw) and raw != "":
            return _commitment(None, entries, "none")  # an explicit null stands
    text = text[-MAX_CHARACTERS:]
    return _from_objects(text, task) or _from_labels(text, task) or _from_prose(text, task)


def spoken(text: str) -> str:
    """``text`` without the model's thoughts and the special tokens that a server left in."""
    if _CHANNEL in text:
        channels = text.split(_CHANNEL)[1:]
        said = [channel for channel in channels if not channel.lstrip().startswith("analysis")]
        text = said[-1].partition("<|message|>")[2] if said else ""
    text = _THOUGHT_MARK.sub(_as_think, text)
    return outside_think(_SPECIAL_TOKEN.sub("", text) if "<|" in text else text)


def guard_strategy(text: str) -> tuple[str, bool]:
    """Cut a strategy before the first answer that it gives away.

    A strategy is cut before a box, before ``####``, before an arrow to a number (``=> 42``) and
    before a calculation with its value (``6*7 = 42``) or a phrase followed by a value ("the answer
    is 42", "Answer: Paris", "the correct choice is (B)", "which leaves 42", "so 42 remain",
    "expected value 42"). A phrase that only speaks about the answer ("the answer is the sum of
    both") stays. It is a list of phrases: values in other words pass, and reports count them
    (``foretold``). Text behind :data:`MAX_STRATEGY_CHARACTERS` is dropped.

    Returns:
        The strategy without the answer, and True if it gave one away.
    """
    text = spoken(text)[:MAX_STRATEGY_CHARACTERS]
    lowered = text.lower()
    leak = _LEAK.search(text) if any(sign in lowered for sign in _LEAK_SIGNS) else None
    return (text if leak is None else text[: leak.start()]).strip(), leak is not None


def whole_steps(strategy: str) -> str:
    """Shorten a strategy that the token limit cut off to its last whole sentence or line.

    Half a step ("2. Calculate the total") makes a model do only that step and stop, so a strategy
    without a whole step becomes empty.
    """
    ends = [match.end() for match in _STEP_END.finditer(strategy) if match["end"] is not None]
    return strategy[: ends[-1]].strip() if ends else ""


def count_pieces(text: str) -> int:
    """Count words, groups of three digits, and signs: a token count that is equal for all models.

    Hardly any tokenizer takes fewer tokens, so that a strategy within its limit is never cut.
    """
    return sum(1 for _ in _PIECE.finditer(text))


def within_tokens(strategy: str, limit: int, *, in_sentences: bool) -> str:
    """Cut a strategy to a number of tokens (:func:`count_pieces`), if a server ignored the limit.

    Args:
        strategy: the strategy.
        limit: maximum number of tokens.
        in_sentences: True to cut behind the last whole sentence or line that fits, as
            :func:`whole_steps`; False to cut behind the last word.
    """
    if count_pieces(strategy) <= limit:
        return strategy
    ends = [
        match.end()
        for match in (_STEP_END if in_sentences else _WORD).finditer(strategy)
        if not in_sentences or match["end"] is not None
    ]
    fitting = bisect_right(ends, limit, key=lambda end: count_pieces(strategy[:end]))
    return strategy[: ends[fitting - 1]].strip() if fitting else ""


def states_value(strategy: str, value: str) -> bool:
    """Return True if a strategy contains a value as a number or word of its own."""
    edge = r"(?![\w]|[.,]\d)"
    return re.search(rf"(?<![\w.,]){re.escape(value)}{edge}", strategy, re.IGNORECASE) is not None


def _as_think(mark: re.Match[str]) -> str:
    return "</think>" if mark[mark.lastindex or 0].lower() in ("/", "end") else "<think>"


def _from_objects(text: str, task: str) -> Commitment | None:
    """The commitment of the objects in ``text``; None if there is none with a known name."""
    known = {*VALUE_NAMES, *_REASON_NAMES}
    last: dict[str, Value] | None = None
    is_copied = False
    for view in _views(text):
        objects = list(loose_objects(view))
        for names in (VALUE_NAMES, OTHER_VALUE_NAMES):
            for held in _holders(reversed(objects), names):
                value = value_text(held["value"])
                if _is_copied(value, _reason(held), task):
                    is_copied = True
                elif value is not None:
                    return _commitment(value, held, "repaired")
        if last is None:
            every = [named(entries) for entries in objects]
            last = next((entries for entries in reversed(every) if entries.keys() & known), None)
    if is_copied:
        return Commitment(value=None, parse_method="copied")
    if last is None:
        return None
    for name in VALUE_NAMES:
        if name in last and last[name] != "" and is_left_blank(last[name]):
            return _commitment(None, last, "none")
    return _from_reason(last, is_finished=not _ends_inside(text, last.get("reason")), task=task)


def _views(text: str) -> Iterator[str]:
    """``text`` as it is, then with one layer of foreign spelling after the other removed."""
    yield text
    for plainer in (
        lambda view: _HTML_ESCAPE.sub(lambda match: _HTML[match[0]], view),
        lambda view: view.translate(_PLAIN_PUNCTUATION),
        lambda view: view.replace('\\"', '"'),
    ):
        view = plainer(text)
        if view != text:
            yield view
            text = view


def _holders(
    objects: Iterable[dict[str, Value]], names: Sequence[str], depth: int = MAX_WRAPPERS
) -> Iterator[dict[str, Value]]:
    """The objects that hold a value under one of ``names``, the value renamed to ``value``.

    An object inside another one counts if the outer one has no value; it inherits the rest. Below
    ``depth`` objects inside one another no further one is looked for: a text can hold texts that
    look like objects a thousand times over.
    """
    for entries in objects:
        outer = named(entries)
        name = next((name for name in names if value_text(outer.get(name)) is not None), None)
        if name is not None:
            yield outer | {"value": outer[name]}
            continue
        inherited = {n: outer[n] for n in (*_REASON_NAMES, *_CONFIDENCE_NAMES) if n in outer}
        if depth == 0:
            continue
        for held in _holders(_inside(outer), names, depth - 1):
            yield inherited | held


def _inside(entries: Mapping[str, Value]) -> Iterator[dict[str, Value]]:
    """The objects directly inside another one: its last first, those in lists after all others."""
    wrapped = [value for name, value in entries.items() if name not in _CHECKLIST_NAMES][::-1]
    for value in wrapped:
        if isinstance(value, dict):
            yield value
        elif isinstance(value, str) and value.lstrip().startswith("{"):
            yield from reversed(list(loose_objects(value)))
    for value in wrapped:
        if isinstance(value, list):
            yield from (item for item in reversed(value) if isinstance(item, dict))


def _from_labels(text: str, task: str) -> Commitment | None:
    """The commitment of labelled entries; None if the text has no such structure."""
    *_, plainest = _views(text)
    entries = labelled_entries(plainest)
    held: dict[str, Value] = {}
    is_blank = False
    for name, content, _ in entries:
        ((short, _),) = named({name: None}).items()
        if short not in (*VALUE_NAMES, *OTHER_VALUE_NAMES):
            held[short] = content
            continue
        line = content.partition("\n")[0].strip(" \t*_`|,;")
        is_blank = is_blank or is_left_blank(line)
        if value_text(line) is not None:
            held["value"] = line
    kinds = {_kind(name) for name in (*held, *(["value"] if is_blank else []))}
    if len(kinds) < 2 and not any(entry.in_tag for entry in entries):
        return None
    if (value := value_text(held.get("value"))) is not None:
        return _unless_copied(value, held, "repaired", task)
    if is_blank:
        return _commitment(None, held, "none")
    return _from_reason(held, is_finished=True, task=task) if _reason(held) else None


def _kind(name: str) -> str:
    for kind in (_REASON_NAMES, _CONFIDENCE_NAMES, _CHECKLIST_NAMES):
        if name in kind:
            return kind[0]
    return "value"


def _from_reason(entries: dict[str, Value], *, is_finished: bool, task: str) -> Commitment:
    """A commitment without a value whose reason may state it."""
    reason = _reason(entries)
    found = find_answer(reason)
    is_bare_number = found is not None and found.way == "value" and re.search(r"\d", reason)
    if found is not None and found.way in UNSTATED and not (is_finished and is_bare_number):
        before = reason[: max(0, reason.rfind(found.answer.lstrip("-")))]
        concludes = _CONCLUDES.search(before[-24:])
        if concludes is None or not (is_finished or concludes[0].lstrip().startswith("=")):
            found = None
    return _from_found(found, entries, task)


def _from_prose(text: str, task: str) -> Commitment:
    """The answer of a reply without any structure, read like a response."""
    return _from_found(find_answer(_SAID_CONFIDENCE.sub(" ", text)), {}, task)


def _from_found(found: Found | None, entries: dict[str, Value], task: str) -> Commitment:
    if found is None or len(found.answer) > MAX_ANSWER_CHARACTERS or is_left_blank(found.answer):
        return _commitment(None, entries, "none")
    method: Method = "boxed" if found.way == "boxed" else "last_number"
    return _unless_copied(encodable(found.answer), entries, method, task)


def _ends_inside(text: str, reason: Value) -> bool:
    """True if ``text`` breaks off inside the reason."""
    return isinstance(reason, str) and text.rstrip().endswith(
        reason.rstrip()[-MIN_COPIED_CHARACTERS:]
    )


def _unless_copied(
    value: str, entries: Mapping[str, Value], method: Method, task: str
) -> Commitment:
    if _is_copied(value, _reason(entries), task):
        return Commitment(value=None, parse_method="copied")
    return _commitment(value, entries, method)


def _is_copied(value: str | None, reason: str, task: str) -> bool:
    """True if a coordinator repeated its instructions instead of following them."""
    several_words = value is not None and len(value.split()) >= 3
    return (several_words and str(value) in task) or (
        len(reason) >= MIN_COPIED_CHARACTERS and reason in task
    )


def _commitment(value: str | None, entries: Mapping[str, Value], method: Method) -> Commitment:
    return Commitment(
        value=value,
        reason=_reason(entries),
        confidence=_confidence(_first(entries, _CONFIDENCE_NAMES)),
        checklist=_checklist(_first(entries, _CHECKLIST_NAMES)),
        parse_method=method,
    )


def _reason(entries: Mapping[str, Value]) -> str:
    reason = _first(entries, _REASON_NAMES)
    return restore_latex(encodable(reason)).strip() if isinstance(reason, str) else ""


def _first(entries: Mapping[str, Value], names: Sequence[str]) -> Value:
    return next((entries[name] for name in names if name in entries), None)


def _decoded_text(text: str) -> str:
    """The text in a reply that is one JSON string: an object that was encoded twice."""
    decoded: object = text
    while isinstance(decoded, str) and decoded.startswith('"'):
        text = decoded
        try:
            decoded = _DECODER.decode(text)
        except ValueError:
            return text
    return decoded.strip() if isinstance(decoded, str) else text


def _strict_object(text: str) -> dict[str, Value] | None:
    if not text.startswith("{"):
        return None
    try:
        decoded = _DECODER.decode(text)
    except (ValueError, RecursionError):  # RecursionError: hostile nesting
        return None
    return decoded if isinstance(decoded, dict) else None


def _confidence(value: Value) -> float | None:
    """A confidence in [0, 1], from such a number or a percentage ("80%", or 80).

    Everything else (negative, above 100, not a number) cannot be relied on and becomes None.
    """
    if not isinstance(value, str) or len(value) > 40:
        return None
    share = _SHARE.fullmatch(value.strip())
    written = value if share is None else share[1]
    percent = written.endswith("%")
    try:
        number = float(written.rstrip("% "))
    except ValueError:
        return None
    if percent or number > 1:
        number /= 100
    return number if 0 <= number <= 1 else None


def _checklist(value: Value) -> dict[str, bool]:
    if not isinstance(value, dict):
        return {}
    checks = [(encodable(k)[:40], v) for k, v in value.items() if isinstance(v, bool)]
    return dict(checks[:_MAX_CHECKS])
