"""Transcripts as logs of Inspect, so that ``inspect view`` shows every call and every score."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from inspect_ai.event import ModelEvent, ScoreEvent, SpanBeginEvent, SpanEndEvent
from inspect_ai.log import (
    EvalConfig,
    EvalDataset,
    EvalError,
    EvalLog,
    EvalMetric,
    EvalResults,
    EvalSample,
    EvalScore,
    EvalSpec,
    EvalStats,
    write_eval_log,
)
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageUser,
    GenerateConfig,
    ModelOutput,
    ModelUsage,
)
from inspect_ai.scorer import CORRECT, INCORRECT, Score
from inspect_ai.viewer import ViewerConfig

from econ_env.integrations.inspect import conclusion, inspect_message
from econ_env.llm.types import Message
from econ_env.text import encodable
from econ_files.private import OWNER_ONLY

LogFormat = Literal["eval", "json"]

Plain = Mapping[str, Any]
"""A record of a transcript as plain data; see :mod:`econ_env.game.transcript`."""

_STOPPED = {"stop": "stop", "length": "max_tokens"}


def write_log(
    transcripts: Sequence[Plain],
    folder: Path,
    *,
    name: str,
    played: datetime,
    log_format: LogFormat,
) -> Path:
    """Write games as one log and return its path; only its owner can read it.

    The same games give the same path, and an older log there is replaced.

    Args:
        transcripts: games as plain data, at least one.
        folder: folder of logs; it is made if it does not exist.
        name: name of the data in the viewer.
        played: time of the games, with its zone.
        log_format: ``"eval"``, the compressed one, or ``"json"``.

    Raises:
        KeyError, TypeError, ValueError: a transcript lacks a part.
    """
    cleaned: list[Plain] = _encodable(list(transcripts))
    log = log_of(cleaned, name=name, played=played)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{played:%Y-%m-%dT%H-%M-%S}+00-00_econ_{log.eval.task_id}.{log_format}"
    path.touch(mode=OWNER_ONLY)
    path.chmod(OWNER_ONLY)
    write_eval_log(log, path, format=log_format)
    return path


def log_of(transcripts: Sequence[Plain], *, name: str, played: datetime) -> EvalLog:
    """The log of some games; see :func:`write_log`."""
    seen: Counter[str] = Counter()
    samples = []
    for transcript in transcripts:
        seen[transcript["question"]["id"]] += 1
        samples.append(_sample(transcript, epoch=seen[transcript["question"]["id"]]))
    usage: dict[str, ModelUsage] = {}
    for sample in samples:
        for model, used in sample.model_usage.items():
            usage[model] = usage.get(model, ModelUsage()) + used
    digest = hashlib.blake2b(json.dumps(transcripts, sort_keys=True).encode(), digest_size=11)
    time = played.astimezone(UTC).isoformat()
    finished = [sample for sample in samples if sample.error is None]
    return EvalLog(
        status="success",
        eval=EvalSpec(
            eval_id=digest.hexdigest(),
            run_id=digest.hexdigest(),
            task_id=digest.hexdigest(),
            created=time,
            task="econ",
            solver="econ_env/econ_solver",
            dataset=EvalDataset(
                name=name, samples=len(seen), sample_ids=list(dict.fromkeys(seen)), shuffled=False
            ),
            model=_coordinator(transcripts[0]),
            config=EvalConfig(epochs=max(seen.values())),
            # Texts of models are shown as they are: no picture is loaded, no link made.
            viewer=ViewerConfig(trust_content=False),
        ),
        results=EvalResults(
            total_samples=len(samples),
            completed_samples=len(finished),
            scores=_means(finished),
        ),
        stats=EvalStats(started_at=time, completed_at=time, model_usage=usage),
        samples=samples,
    )


def _sample(transcript: Plain, *, epoch: int) -> EvalSample:
    """One game as a sample."""
    question = transcript["question"]
    rounds = [one for decision in transcript["decisions"] for one in decision["rounds"]]
    commitments = rounds[-1]["commitments"] if rounds else []
    last = commitments[-1] if commitments else None
    events: list[Any] = []
    used: dict[str, ModelUsage] = {}
    for span, calls in _phases(transcript):
        events.append(SpanBeginEvent(id=span, span_id=span, name=span, type="solver"))
        for call in calls:
            event = _call(call, span)
            events.append(event)
            spent = event.output.usage or ModelUsage()
            used[event.model] = used.get(event.model, ModelUsage()) + spent
        events.append(SpanEndEvent(id=span, span_id=span))
    scores = _scores(transcript, last)
    events += [
        ScoreEvent(score=score, target=question["gold"], scorer=name)
        for name, score in scores.items()
    ]
    answer = ChatMessageAssistant(
        content="" if last is None else conclusion(last["reason"], last["value"]),
        model=_coordinator(transcript),
        source="generate",
    )
    failed = transcript["failed"]
    return EvalSample(
        id=question["id"],
        epoch=epoch,
        input=question["text"],
        target=question["gold"],
        messages=[ChatMessageUser(content=question["text"], source="input"), answer],
        output=ModelOutput(
            model=_coordinator(transcript), choices=[ChatCompletionChoice(message=answer)]
        ),
        scores=scores,
        metadata={
            "kind": question["kind"],
            "closed_by": [decision["closed_by"] for decision in transcript["decisions"]],
            "commitment_rule": transcript["commitment_rule"],
            "prompts": transcript["prompts"],
            "env_seed": transcript["env_seed"],
            "episode": transcript["episode"],
        },
        events=events,
        model_usage=used,
        error=None
        if failed is None
        else EvalError(message=failed, traceback=failed, traceback_ansi=failed),
    )


def _phases(transcript: Plain) -> Iterator[tuple[str, list[Plain]]]:
    """Yield the calls of a game with a name for those that belong together."""
    if transcript["strategies"]:
        yield "strategy", transcript["strategies"]
    several = len(transcript["decisions"]) > 1
    for d, decision in enumerate(transcript["decisions"], 1):
        for r, played in enumerate(decision["rounds"], 1):
            where = f"decision {d}, round {r}" if several else f"round {r}"
            yield f"{where}: answers", _with_prompts(played["executors"])
            asked = [one for one in played["commitments"] if one["called"]]
            if asked:
                yield f"{where}: commitment", asked


def _with_prompts(executors: list[Plain]) -> list[Plain]:
    """The calls of a round's executors, each with its prompt, which a transcript keeps once."""
    calls: list[Plain] = []
    shared: list[Any] = []
    for record in executors:
        shared = record.get("messages") or shared
        calls.append({**record, "messages": shared})
    return calls


def _call(record: Plain, span: str) -> ModelEvent:
    """One call of a model; without its messages if the transcript has not kept them."""
    messages: list[ChatMessage] = [
        inspect_message(Message(role=one["role"], content=one["content"]))
        for one in record.get("messages") or ()
    ]
    penalty = record.get("repetition_penalty", 1.0)
    spent = record["usage"]
    message = ChatMessageAssistant(content=record["text"], model=record["model"], source="generate")
    return ModelEvent(
        span_id=span,
        model=record["model"],
        role=record["agent"],
        input=messages,
        tools=[],
        tool_choice="none",
        config=GenerateConfig(
            temperature=record.get("temperature"),
            seed=record["seed"],
            extra_body=None if penalty == 1 else {"repetition_penalty": penalty},
        ),
        output=ModelOutput(
            model=record["model"],
            choices=[
                ChatCompletionChoice(
                    message=message,
                    stop_reason=_STOPPED.get(record["finish_reason"], "unknown"),
                )
            ],
            usage=ModelUsage(
                input_tokens=spent["prompt_tokens"],
                output_tokens=spent["completion_tokens"],
                total_tokens=spent["prompt_tokens"] + spent["completion_tokens"],
                input_tokens_cache_read=spent["cached_tokens"],
            ),
            error=record["error"],
        ),
        error=record["error"],
        metadata={
            name: record[name] for name in _READ if name in record and record[name] is not None
        },
    )


_READ = "answer value confidence parse_method novel leaked strategy".split()
"""Fields with the game's reading of a call's text."""


def _scores(transcript: Plain, last: Plain | None) -> dict[str, Score]:
    """Scores of the last commitment, and rewards of the last decision; {} if the game failed."""
    closed = [one for one in transcript["decisions"] if one["rewards"] is not None]
    if not closed or last is None or transcript["failed"] is not None:
        return {}
    rewards = closed[-1]["rewards"]
    is_right = rewards["team_components"]["TS"] == 1
    agents = [one["agent"] for one in closed[-1]["rounds"][-1]["executors"]]
    paid = dict(zip(agents, rewards["agents"], strict=True))
    return {
        "commitment": Score(
            value=CORRECT if is_right else INCORRECT,
            answer=last["value"],
            explanation=last["reason"],
        ),
        "reward": Score(value={"team": rewards["team"], **paid}),
    }


def _means(samples: Sequence[EvalSample]) -> list[EvalScore]:
    """The scores' means over the samples that have them."""
    scored = [sample.scores for sample in samples if sample.scores]
    if not scored:
        return []
    right = [one["commitment"].value == CORRECT for one in scored]
    team = [one["reward"].as_dict()["team"] for one in scored]
    means = {"commitment": ("accuracy", right), "reward": ("mean team reward", team)}
    return [
        EvalScore(
            name=name,
            scorer=name,
            scored_samples=len(scored),
            metrics={metric: EvalMetric(name=metric, value=sum(map(float, values)) / len(scored))},
        )
        for name, (metric, values) in means.items()
    ]


def _coordinator(transcript: Plain) -> str:
    """The model of the coordinator, else of the first executor: Inspect knows one per log."""
    records = [*transcript["strategies"]]
    for decision in transcript["decisions"]:
        for played in decision["rounds"]:
            records += [*reversed(played["commitments"]), *played["executors"]]
    return str(records[0]["model"]) if records else "none"


def _encodable(data: Any) -> Any:
    """Plain data whose texts can be written as UTF-8."""
    if isinstance(data, str):
        return encodable(data)
    if isinstance(data, Mapping):
        return {key: _encodable(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_encodable(value) for value in data]
    return data
