"""A team answers the requests of lm-evaluation-harness, whose own filters read its commitments."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("lm_eval", reason="needs lm-eval: pip install 'econ-env[lm-eval]'")

from lm_eval import simple_evaluate
from lm_eval.api.instance import Instance
from lm_eval.tasks import TaskManager

from econ_env.integrations.lm_eval import EconLM
from econ_env.llm.types import ChatRequest, Completion, ModelError, Usage

pytestmark = [
    pytest.mark.slow,  # the harness takes seconds to import
    # Those of the harness's own dependencies.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

ROWS = [("What is 2 + 3?", "5"), ("What is 40 + 2?", "42"), ("What is 9 - 8?", "1")]
TASK = """
task: sums
dataset_path: json
dataset_kwargs: {{data_files: {{test: {path}}}}}
output_type: generate_until
test_split: test
doc_to_text: "Question: {{{{question}}}}\\nAnswer:"
doc_to_target: "{{{{answer}}}}"
generation_kwargs: {{until: ["Question:"], do_sample: false}}
filter_list:
  - name: strict-match
    filter:
      - {{function: regex, regex_pattern: "#### (\\\\-?[0-9\\\\.\\\\,]+)"}}
      - {{function: take_first}}
metric_list:
  - {{metric: exact_match, aggregation: mean, higher_is_better: true}}
"""


class Adder:
    """A team's model that knows two of the three sums."""

    name = "adder"
    context_limit = None

    def __init__(self, error: str | None = None) -> None:
        self.error = error
        self.asked: list[ChatRequest] = []

    def generate(self, requests: Sequence[ChatRequest]) -> list[Completion]:
        self.asked += requests
        return [self._answer(request) for request in requests]

    def count_tokens(self, text: str) -> int:
        return len(text)

    def close(self) -> None:
        """Do nothing."""

    def _answer(self, request: ChatRequest) -> Completion:
        if self.error is not None:
            return Completion.failure(self.error)
        text = request.messages[-1].content
        value = next((a for q, a in ROWS[:2] if q in text), "7")
        said = f"It is \\boxed{{{value}}}"
        if request.role == "commit":
            said = json.dumps({"reason": "They add up to it.", "value": value, "confidence": 0.9})
        return Completion(text=said, usage=Usage(requests=1))


def request(text: str) -> Instance:
    return Instance("generate_until", {}, (text, {"until": ["\n"]}), 0, ("sums", 0, 1))


def test_the_harness_scores_the_commitments_of_a_team(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("\n".join(json.dumps({"question": q, "answer": a}) for q, a in ROWS))
    (tmp_path / "sums.yaml").write_text(TASK.format(path=rows))
    model = Adder()
    results: Any = simple_evaluate(
        EconLM(llm=model, batch_size=2),
        tasks=["sums"],
        task_manager=TaskManager(include_path=str(tmp_path), include_defaults=False),
        bootstrap_iters=0,
    )
    assert results["results"]["sums"]["exact_match,strict-match"] == pytest.approx(2 / 3)
    shown = [sample["resps"][0][0] for sample in results["samples"]["sums"]]
    assert shown == [f"They add up to it.\n#### {value}" for value in ("5", "42", "7")]
    # A strategy, three responses and a commitment for each of the three.
    assert len(model.asked) == 15
    assert {round(r.temperature, 9) for r in model.asked if r.role == "execute"} == {0.7}


def test_questions_play_the_same_in_batches_of_any_size() -> None:
    asked = [request(question) for question, _ in ROWS]
    seeds = []
    for size in (1, 3):
        model = Adder()
        EconLM(llm=model, batch_size=size).generate_until(asked)
        seeds.append({(r.seed, r.role, r.messages) for r in model.asked})
    assert seeds[0] == seeds[1]
    assert len(seeds[0]) == 15


def test_the_form_of_an_answer_is_chosen() -> None:
    model = EconLM(llm=Adder(), answer="{value}")
    assert model.generate_until([request(ROWS[1][0])]) == ["42"]


def test_a_team_that_failed_is_no_wrong_answer() -> None:
    with pytest.raises(ModelError, match="no route"):
        EconLM(llm=Adder(error="no route")).generate_until([request(ROWS[0][0])])


def test_what_a_team_cannot_do_is_refused() -> None:
    with pytest.raises(NotImplementedError, match="has no likelihoods"):
        EconLM(llm=Adder()).loglikelihood([])
    with pytest.raises(ValueError, match="outside"):
        EconLM(llm=Adder(), temperature=3.0)
