"""What a set of played episodes amounts to: accuracy, tokens, and how commitments were read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from econ_env.answers import Verdict, equivalent, gold_answer, grade_answer
from econ_env.hierarchy import majority
from econ_env.statistics import wilson_interval
from econ_env.transcript import RoundRecord, Transcript


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """Counts over episodes. An episode that failed is in ``failed`` and nowhere else but tokens."""

    finished: int
    failed: int
    correct: int
    """Episodes whose last commitment is correct."""
    first_executor_correct: int
    majority_correct: int
    """Episodes in which the majority of the executors' last answers is correct."""
    rounds: int
    """Rounds played in finished episodes."""
    commitments_asked: int
    """Commitments that a model was asked for."""
    commitments_json: int
    """Those of them that were valid JSON as they came."""
    consensus: int
    """Commitments that needed no call, because all members agreed."""
    novel: int
    """Commitments replaced by the majority, because nobody gave their value."""
    leaks: int
    """Strategies that stated an answer and were cut."""
    prompt_tokens: int
    completion_tokens: int

    def __str__(self) -> str:
        """The summary as lines for people."""
        lines = [f"questions            {self.finished} finished, {self.failed} failed"]
        if self.finished:
            low, high = wilson_interval(self.correct, self.finished)
            tokens = self.prompt_tokens + self.completion_tokens
            lines += [
                f"team accuracy        {self._share(self.correct)}  "
                f"(95% interval {low:.1%} to {high:.1%})",
                f"first executor       {self._share(self.first_executor_correct)}",
                f"majority vote        {self._share(self.majority_correct)}",
                f"rounds per question  {self.rounds / self.finished:.2f}",
                f"tokens per question  {tokens / (self.finished + self.failed):.0f}  "
                f"({self.prompt_tokens} prompt and {self.completion_tokens} completion in all)",
            ]
        asked = self.commitments_asked
        rate = f"{self.commitments_json / asked:.1%} valid JSON" if asked else "none"
        lines += [
            f"commitments asked    {asked}, {rate}; {self.consensus} by consensus without a call",
            f"novel values         {self.novel} replaced by the majority",
            f"leaking strategies   {self.leaks} cut",
        ]
        return "\n".join(lines)

    def _share(self, count: int) -> str:
        return f"{count / self.finished:.1%}  ({count}/{self.finished})"


def summarise(transcripts: Sequence[Transcript]) -> Summary:
    """Count over episodes that have ended."""
    finished = [transcript for transcript in transcripts if transcript.failed is None]
    last_rounds = [(t, _last_round(t)) for t in finished]
    methods: Counter[str] = Counter()
    for transcript in finished:
        methods.update(transcript.parse_methods)
    return Summary(
        finished=len(finished),
        failed=len(transcripts) - len(finished),
        correct=sum(_is_correct(played.commitments[-1].value, t) for t, played in last_rounds),
        first_executor_correct=sum(
            _is_correct(played.executors[0].answer, t) for t, played in last_rounds
        ),
        majority_correct=sum(
            _is_correct(majority([e.answer for e in played.executors], equivalent), t)
            for t, played in last_rounds
        ),
        rounds=sum(len(list(t.rounds())) for t in finished),
        commitments_asked=sum(methods.values()) - methods["consensus"],
        commitments_json=methods["json"],
        consensus=methods["consensus"],
        novel=sum(t.novel_values for t in finished),
        leaks=sum(t.leaks for t in finished),
        prompt_tokens=sum(t.usage.prompt_tokens for t in transcripts),
        completion_tokens=sum(t.usage.completion_tokens for t in transcripts),
    )


def _last_round(transcript: Transcript) -> RoundRecord:
    *_, last = transcript.rounds()
    return last


def _is_correct(answer: str | None, transcript: Transcript) -> bool:
    gold = gold_answer(transcript.question.gold)
    return answer is not None and grade_answer(answer, gold) is Verdict.CORRECT
