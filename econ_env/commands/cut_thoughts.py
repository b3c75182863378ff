"""Texts that reached their token limit inside a thought: there is nothing to read in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from econ_env.game.transcript import Transcript
from econ_env.grading.extraction import outside_think
from econ_env.llm.types import FinishReason


def is_cut_thought(text: str, finish_reason: FinishReason) -> bool:
    """Return True if a text was cut before anything but a thought was written."""
    return finish_reason == "length" and not outside_think(text).strip()


def lines_about_cut_thoughts(transcripts: Sequence[Transcript]) -> list[str]:
    """Return what a person should know about cut thoughts in these episodes, if there are any."""
    asked: Counter[str] = Counter()
    cut: Counter[str] = Counter()
    for transcript in transcripts:
        for kind, text, reason in _texts(transcript):
            asked[kind] += 1
            cut[kind] += is_cut_thought(text, reason)
    if not cut.total():
        return []
    said = ", ".join(f"{cut[kind]} of {asked[kind]} {kind}" for kind in asked if cut[kind])
    flags = " ".join(f"--max-tokens-{_FLAG[kind]} N" for kind in asked if cut[kind])
    return [
        f"cut thoughts         {said} ended inside a thought, so nothing was read from them:",
        f"                     allow more tokens ({flags}), or switch thinking off;",
        "                     econ-env doctor says how",
    ]


_FLAG = {"strategies": "strategy", "responses": "execute", "commitments": "commit"}


def _texts(transcript: Transcript) -> Iterator[tuple[str, str, FinishReason]]:
    for plan in transcript.strategies:
        yield "strategies", plan.text, plan.finish_reason
    for played in transcript.rounds():
        for response in played.executors:
            yield "responses", response.text, response.finish_reason
        for commitment in played.commitments:
            if commitment.called:
                # A coordinator with a vote answers within the limit of executors.
                votes = commitment.parse_method == "vote"
                yield (
                    "responses" if votes else "commitments",
                    commitment.text,
                    commitment.finish_reason,
                )
