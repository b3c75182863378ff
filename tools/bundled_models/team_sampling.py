"""Responses of the bundled team to training questions, which its coordinator learns to judge.

Three different models go wrong in different places, so that agreement among them means more than
agreement within one model. The file has the form of :mod:`~tools.bundled_models.sampling`:
responses stand in the order of the executors, twice around.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from econ_env.game.parsing import guard_strategy
from econ_env.game.prompts import COMPACT
from econ_env.llm.local.model import LocalModel
from econ_env.llm.types import ChatRequest, Message, Role
from econ_env.questions.arithmetic import ArithmeticQuestions
from econ_env.seeds import derive_seed
from tools.bundled_models.sampling import TOP_P, complete_lines

QUESTIONS_AT_ONCE = 128
TIMES_AROUND = 2
"""Number of responses of each model to a question: enough for teams of twice as many executors."""
TEMPERATURES = (0.1, 1.1)
PENALTIES = (0.95, 1.1)
"""Range of the repetition penalty. Learned actions end up in this range and in ``TEMPERATURES``;
hotter responses are obvious nonsense."""


def sample_team(
    planner: Path,
    executors: Sequence[Path],
    source: ArithmeticQuestions,
    path: Path,
    *,
    n_questions: int,
    seed: int,
) -> None:
    """Append responses to ``n_questions`` of ``source``, with the planner's plans, to ``path``.

    A file that is shorter because of an interruption is continued; a cut-off last line is dropped.
    """
    lines = complete_lines(path)
    done = len(lines)
    if done >= n_questions:
        return
    path.write_text("".join(lines), encoding="utf-8")
    models = {folder: _load(folder) for folder in dict.fromkeys([planner, *executors])}
    around = [models[folder] for folder in executors]
    with (
        path.open("a", encoding="utf-8") as file,
        tqdm(total=n_questions, initial=done, desc="sample team", unit="question") as bar,
    ):
        while done < n_questions:
            indices = range(done, min(done + QUESTIONS_AT_ONCE, n_questions))
            for line in _sample(models[planner], around, source, indices, seed):
                file.write(json.dumps(line) + "\n")
            file.flush()
            done = indices.stop
            bar.update(len(indices))
    for model in models.values():
        model.close()


def _load(folder: Path) -> LocalModel:
    rows = QUESTIONS_AT_ONCE * TIMES_AROUND
    return LocalModel(str(folder), name=folder.name, dtype="float32", max_batch_rows=rows)


def _sample(
    planner: LocalModel,
    executors: Sequence[LocalModel],
    source: ArithmeticQuestions,
    indices: Sequence[int],
    seed: int,
) -> list[dict[str, object]]:
    """Make the lines of the questions at ``indices``."""
    texts = [source.problem(index).text for index in indices]
    asked = [_request(COMPACT.strategy(text), "strategy", seed=0) for text in texts]
    plans = [guard_strategy(c.text)[0] for c in planner.generate(asked)]
    columns: list[list[str]] = []
    for number, model in enumerate(executors):
        requests = [
            request
            for index, text, plan in zip(indices, texts, plans, strict=True)
            for request in _turns(
                COMPACT.execute(text, plan),
                random.Random(derive_seed("sample team", seed, index, number)),
            )
        ]
        columns.append([completion.text for completion in model.generate(requests)])
    return [
        {
            "index": index,
            "plan": plans[row],
            "responses": [
                column[row * TIMES_AROUND + turn]
                for turn in range(TIMES_AROUND)
                for column in columns
            ],
        }
        for row, index in enumerate(indices)
    ]


def _turns(messages: tuple[Message, ...], rng: random.Random) -> list[ChatRequest]:
    """Make one model's requests for one question, each with a sampling action of its own."""
    return [
        _request(
            messages,
            "execute",
            seed=rng.getrandbits(31),
            temperature=rng.uniform(*TEMPERATURES),
            repetition_penalty=rng.uniform(*PENALTIES),
        )
        for _ in range(TIMES_AROUND)
    ]


def _request(
    messages: tuple[Message, ...],
    role: Role,
    *,
    seed: int,
    temperature: float = 0.0,
    repetition_penalty: float = 1.0,
) -> ChatRequest:
    return ChatRequest(
        messages=messages,
        temperature=temperature,
        repetition_penalty=repetition_penalty,
        top_p=TOP_P,
        max_tokens=COMPACT.max_tokens.of(role),
        seed=seed,
        model="sampled",
        role=role,
    )
