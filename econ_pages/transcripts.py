"""Reading of transcripts, which are JSON, as games.

The format is that of ``econ_env``'s ``Transcript.to_json``. Fields that a version lacks are left
out of the page; fields that it does not know are not shown. A record of a request may also have
``messages``, a list of ``{"role", "content"}``: the prompt as it was sent. A response without them
had the prompt of the response before.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from econ_pages.fields import Fields
from econ_pages.games import (
    Commitment,
    Decision,
    Game,
    Message,
    Response,
    Reward,
    Round,
    Shortened,
    Strategy,
    Tokens,
)

Judge = Callable[[str, str], bool]
"""Function that says whether an answer equals a gold answer."""

_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,30}")


class _Verdicts:
    """Verdicts on the values of one game: a verdict depends on nothing but value and gold answer.

    A value that was judged in the game has that verdict wherever it occurs. For others the judge is
    asked; without one only what is certain counts: the gold answer itself, and whole numbers.

    Args:
        gold: gold answer as the data set gives it, for the judge.
        read: gold answer as it was read, which is shorter where the data set gives a solution.
        judge: see :func:`read_game`.
    """

    def __init__(self, gold: str, read: str, judge: Judge | None) -> None:
        self._gold = gold
        self._read = read
        self._judge = judge
        self._known: dict[str, bool] = {}

    def learn(self, value: str | None, task_score: float | None) -> None:
        """Keep the verdict of a task score, which is 1 for a right answer and 0 for a wrong one."""
        if value is not None and task_score in (0, 1):
            self._known[value] = task_score == 1

    def of(self, value: str | None) -> bool | None:
        """Return the verdict on a value; None if it is not known."""
        if not self._gold:
            return None
        if value is None:
            return False
        if value not in self._known:
            if self._judge is not None:
                self._known[value] = self._judge(value, self._gold)
            elif value == self._read:
                self._known[value] = True
            elif _WHOLE_NUMBER.fullmatch(value) and _WHOLE_NUMBER.fullmatch(self._read):
                self._known[value] = int(value) == int(self._read)
        return self._known.get(value)


def read_game(
    transcript: Any,
    *,
    number: int,
    source: str,
    where: str,
    judge: Judge | None = None,
    arm: str = "",
) -> Game:
    """Read one transcript as a game.

    Args:
        transcript: plain data, as from ``json.loads``.
        number: number of the game on its page.
        source: name of the file.
        where: name of the transcript in messages, as in ``games.jsonl:3``.
        judge: function for verdicts that the transcript does not give; None leaves out those that
            are not certain.
        arm: part of the test that it was played in.

    Raises:
        PageError: it is no transcript; the message names the place.
    """
    data = Fields(transcript, where)
    asked = data.object("question")
    gold = asked.text("gold") or ""
    closed = data.objects("decisions")
    read = _gold_as_read(closed) or gold
    verdicts = _Verdicts(gold, read, judge)
    for decision in closed:
        _learn(verdicts, decision)
    decisions = tuple(_decision(decision, verdicts) for decision in closed)
    strategies = tuple(_strategy(record) for record in data.objects("strategies"))
    rounds = [played for decision in decisions for played in decision.rounds]
    commitments = [made for played in rounds for made in played.commitments]
    conclusions = [played.commitments[-1] for played in rounds if played.commitments]
    failed = data.text("failed")
    last = conclusions[-1] if conclusions else None
    rewards = [decision.rewards[-1].reward for decision in decisions if decision.rewards]
    return Game(
        number=number,
        source=source,
        id=asked.text("id") or "",
        question=asked.text("text") or "",
        gold=read,
        kind=asked.text("kind") or "",
        episode=data.count("episode"),
        strategies=strategies,
        shortened=_shortened(data, "strategies_shortened"),
        decisions=decisions,
        failed=failed,
        tokens=_tokens(data),
        answer=None if last is None else last.value,
        correct=None if last is None or failed is not None else last.correct,
        flipped=None if failed is not None else _flip(conclusions),
        no_json=any(
            made.called and made.error is None and made.method not in ("json", "vote")
            for made in commitments
        ),
        leaked=any(strategy.leaked for strategy in strategies),
        reward=sum(rewards) if rewards else None,
        arm=arm,
    )


def _gold_as_read(decisions: list[Fields]) -> str:
    """The answer that others were compared with; "" if nothing was judged, or it was not kept."""
    judged = (record for each in decisions for record in each.object("rewards").objects("judged"))
    return next((gold for record in judged if (gold := record.text("gold"))), "")


def _learn(verdicts: _Verdicts, decision: Fields) -> None:
    """Learn the verdicts of a settled decision, which are on the values of its last round."""
    rounds = decision.objects("rounds")
    if not rounds or "rewards" not in decision:
        return
    rewards = decision.object("rewards")
    scores = rewards.object("components").numbers("TS")
    for executor, score in zip(rounds[-1].objects("executors"), scores, strict=False):
        verdicts.learn(executor.text("answer"), score)
    for commitment in rounds[-1].objects("commitments")[-1:]:
        score_of_team = rewards.object("team_components").number("TS")
        verdicts.learn(commitment.text("value"), score_of_team)


def _flip(conclusions: list[Commitment]) -> str | None:
    if not conclusions:
        return None
    first, last = conclusions[0].correct, conclusions[-1].correct
    if first is None or last is None or first == last:
        return None
    return "wrong to right" if last else "right to wrong"


def _decision(data: Fields, verdicts: _Verdicts) -> Decision:
    rounds = tuple(_round(played, verdicts) for played in data.objects("rounds"))
    agents = [response.agent for response in rounds[-1].responses] if rounds else []
    return Decision(
        rounds=rounds,
        closed_by=data.text("closed_by"),
        rewards=_rewards(data.object("rewards"), agents) if "rewards" in data else (),
    )


def _rewards(data: Fields, agents: list[str]) -> tuple[Reward, ...]:
    components, of_team = data.object("components"), data.object("team_components")
    columns = {name: components.numbers(name) for name in components.names()}
    own = [
        Reward(
            agent=agent,
            reward=reward,
            components={name: values[i] for name, values in columns.items() if i < len(values)},
        )
        for i, (agent, reward) in enumerate(zip(agents, data.numbers("agents"), strict=False))
    ]
    team = Reward(
        agent="team",
        reward=data.number("team") or 0.0,
        components={name: of_team.number(name) or 0.0 for name in of_team.names()},
    )
    return (*own, team)


def _round(data: Fields, verdicts: _Verdicts) -> Round:
    return Round(
        responses=tuple(_response(record, verdicts) for record in data.objects("executors")),
        commitments=tuple(_commitment(record, verdicts) for record in data.objects("commitments")),
        shortened=_shortened(data, "shortened"),
    )


def _strategy(data: Fields) -> Strategy:
    written, given = data.text("text") or "", data.text("strategy")
    given = written if given is None else given
    start = written.find(given) if given else 0
    return Strategy(
        agent=data.text("agent") or "",
        model=data.text("model") or "",
        text=given,
        # A strategy that is no part of what was written is shown beside the whole of it.
        cut=written[start + len(given) :].rstrip() if start >= 0 else written,
        leaked=data.flag("leaked"),
        error=data.text("error"),
        tokens=_tokens(data),
        messages=_messages(data),
    )


def _response(data: Fields, verdicts: _Verdicts) -> Response:
    answer, error = data.text("answer"), data.text("error")
    return Response(
        agent=data.text("agent") or "",
        model=data.text("model") or "",
        temperature=data.number("temperature"),
        repetition_penalty=data.number("repetition_penalty"),
        text=data.text("text") or "",
        answer=answer,
        correct=verdicts.of(answer) if error is None else None,
        false_equations=data.texts("false_equations"),
        error=error,
        tokens=_tokens(data),
        messages=_messages(data),
    )


def _commitment(data: Fields, verdicts: _Verdicts) -> Commitment:
    value, error = data.text("value"), data.text("error")
    checked = data.object("checklist")
    return Commitment(
        agent=data.text("agent") or "",
        model=data.text("model") or "",
        members=data.texts("members"),
        value=value,
        correct=verdicts.of(value) if error is None else None,
        reason=data.text("reason") or "",
        confidence=data.number("confidence"),
        checklist=tuple(
            f"{name}: {'yes' if checked.flag(name) else 'no'}" for name in checked.names()
        ),
        method=data.text("parse_method") or "",
        novel=data.flag("novel"),
        text=data.text("text") or "",
        called=data.flag("called"),
        error=error,
        tokens=_tokens(data),
        messages=_messages(data),
    )


def _shortened(data: Fields, name: str) -> tuple[Shortened, ...]:
    return tuple(
        Shortened(
            agent=record.text("agent") or "",
            part=record.text("part") or "",
            tokens_before=record.count("tokens_before"),
            tokens_after=record.count("tokens_after"),
        )
        for record in data.objects(name)
    )


def _messages(data: Fields) -> tuple[Message, ...]:
    return tuple(
        Message(role=message.text("role") or "", content=message.text("content") or "")
        for message in data.objects("messages")
    )


def _tokens(data: Fields) -> Tokens:
    usage = data.object("usage")
    return Tokens(
        prompt=usage.count("prompt_tokens"),
        completion=usage.count("completion_tokens"),
        requests=usage.count("requests"),
    )
