"""Summary of played episodes: accuracy, tokens, and the reading of commitments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from econ_env.commands.cut_thoughts import lines_about_cut_thoughts
from econ_env.commands.statistics import wilson_interval
from econ_env.game.coordinator_tree import majority
from econ_env.game.failures import failure_lines
from econ_env.game.transcript import NOT_ASKED_FOR, RoundRecord, Transcript
from econ_env.grading.answers import Verdict, equivalent, gold_answer, grade_answer, is_correct


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """Counts over episodes. A failed episode counts only in ``failed`` and in the tokens."""

    finished: int
    failed: int
    failures: tuple[str, ...]
    """A line for each cause of failures, commonest first: its number of episodes and its words."""
    correct: int
    """Episodes with a correct last commitment."""
    first_executor_correct: int
    majority_correct: int
    """Episodes in which the majority of the executors' last answers is correct."""
    unparseable: int
    """Values that are missing or cannot be read, among the last answers of all executors and the
    last commitments of the teams. If a gold answer cannot be read, all values of its question
    count."""
    timeouts: int
    """Values, among the same answers and commitments, whose comparison ran out of time. They are
    not known to be wrong, but do not count as correct."""
    rounds: int
    """Rounds played in finished episodes."""
    commitments_asked: int
    """Commitments that a model was asked to make."""
    commitments_json: int
    """Commitments from a model that were valid JSON without repair."""
    consensus: int
    """Commitments that needed no call, because all members agreed."""
    by_majority: int
    """Commitments that needed no call, because enough of the members agreed."""
    by_vote: int
    """Commitments that are a vote in which the coordinator's own answer counts."""
    novel: int
    """Commitments replaced by the majority, because no executor gave their value."""
    leaks: int
    """Strategies that gave an answer away and were cut."""
    strategies: int
    """Strategies in finished episodes, those of groups included."""
    foretold: int
    """Strategies, as executors got them, that contain the value of the last commitment, though the
    question does not."""
    prompt_tokens: int
    completion_tokens: int
    cut_thoughts: tuple[str, ...] = ()
    """Lines about texts that ended inside a thought; none if there are no such texts."""

    @property
    def tokens_per_question(self) -> float:
        """Tokens of prompts and completions together, over all episodes; 0 without episodes."""
        tokens = self.prompt_tokens + self.completion_tokens
        return tokens / max(self.finished + self.failed, 1)

    def __str__(self) -> str:
        """Return the summary as lines for people."""
        lines = [f"questions            {self.finished} finished, {self.failed} failed"]
        lines += [f"failed because       {line}" for line in self.failures]
        if self.finished:
            low, high = wilson_interval(self.correct, self.finished)
            lines += [
                f"team accuracy        {self._share(self.correct)}  "
                f"(95% interval {low:.1%} to {high:.1%})",
                f"first executor       {self._share(self.first_executor_correct)}",
                f"majority vote        {self._share(self.majority_correct)}",
                *self._not_graded(),
                f"rounds per question  {self.rounds / self.finished:.2f}",
                f"tokens per question  {self.tokens_per_question:.0f}  "
                f"({self.prompt_tokens} prompt and {self.completion_tokens} completion in all)",
            ]
        asked = self.commitments_asked
        rate = f"{self.commitments_json / asked:.1%} valid JSON" if asked else "none"
        lines += [
            f"commitments asked    {asked}, {rate}; {self._without_a_call()}",
            f"novel values         {self.novel} replaced by the majority",
            f"leaking strategies   {self.leaks} cut",
            f"foretold values      {self._foretold()}",
            *self.cut_thoughts,
        ]
        return "\n".join(lines)

    def _without_a_call(self) -> str:
        said = f"{self.consensus} by consensus"
        if self.by_majority:
            said += f", {self.by_majority} by majority"
        said += " without a call"
        return f"{said}; {self.by_vote} by a vote with the coordinator's" if self.by_vote else said

    def _foretold(self) -> str:
        if not self.strategies:
            return "no strategies"
        share = self.foretold / self.strategies
        return (
            f"{share:.1%}  ({self.foretold}/{self.strategies} strategies contain the value that "
            "was committed later)"
        )

    def _not_graded(self) -> list[str]:
        """Return a line for each kind of value that could not be graded, if there are any."""
        lines = []
        if self.unparseable:
            lines.append(f"unreadable values    {self.unparseable} missing or not readable")
        if self.timeouts:
            lines.append(
                f"grading timed out    {self.timeouts} values, counted as not correct: play again"
            )
        return lines

    def _share(self, count: int) -> str:
        return f"{count / self.finished:.1%}  ({count}/{self.finished})"


def summarise(transcripts: Sequence[Transcript]) -> Summary:
    """Summarise episodes that have ended."""
    finished = [transcript for transcript in transcripts if transcript.failed is None]
    reasons = [transcript.failed for transcript in transcripts if transcript.failed is not None]
    last_rounds = [(t, _last_round(t)) for t in finished]
    verdicts: Counter[Verdict] = Counter()
    for transcript, played in last_rounds:
        verdicts.update(_verdicts(transcript, played))
    methods: Counter[str] = Counter()
    for transcript in finished:
        methods.update(transcript.parse_methods)
    return Summary(
        finished=len(finished),
        failed=len(reasons),
        failures=tuple(failure_lines(reasons)),
        correct=sum(
            is_correct(played.commitments[-1].value, t.question.gold) for t, played in last_rounds
        ),
        first_executor_correct=sum(
            is_correct(played.executors[0].answer, t.question.gold) for t, played in last_rounds
        ),
        majority_correct=sum(
            is_correct(majority([e.answer for e in played.executors], equivalent), t.question.gold)
            for t, played in last_rounds
        ),
        unparseable=verdicts[Verdict.UNPARSEABLE],
        timeouts=verdicts[Verdict.TIMEOUT],
        rounds=sum(len(list(t.rounds())) for t in finished),
        commitments_asked=sum(methods.values()) - sum([methods[name] for name in NOT_ASKED_FOR]),
        commitments_json=methods["json"],
        consensus=methods["consensus"],
        by_majority=methods["majority"],
        by_vote=methods["vote"],
        novel=sum(t.novel_values for t in finished),
        leaks=sum(t.leaks for t in finished),
        strategies=sum(len(t.strategies) for t in finished),
        foretold=sum(t.foretold for t in finished),
        prompt_tokens=sum(t.usage.prompt_tokens for t in transcripts),
        completion_tokens=sum(t.usage.completion_tokens for t in transcripts),
        cut_thoughts=tuple(lines_about_cut_thoughts(transcripts)),
    )


def _last_round(transcript: Transcript) -> RoundRecord:
    *_, last = transcript.rounds()
    return last


def _verdicts(transcript: Transcript, played: RoundRecord) -> list[Verdict]:
    """Return the verdicts on the executors' answers and the team's commitment of one round."""
    gold = gold_answer(transcript.question.gold)
    values = [*(record.answer for record in played.executors), played.commitments[-1].value]
    return [grade_answer(value, gold) for value in values]
