"""Meaning of a status and of the server's words, where words alone decide."""

from __future__ import annotations

import pytest

from econ_env.llm.api.errors import Kind, fault_of_status


def kind_of(status: int, message: str) -> Kind:
    return fault_of_status(status, {}, message, 0.0).kind


@pytest.mark.parametrize(
    "message",
    [
        "The model `x/y` does not exist or you do not have access to it.",
        "model 'llama3' not found, try pulling it first",
        "model: nobody was not found",
        "Unable to access model x/y. Please visit the list of models.",
        "Invalid model name passed in model=nobody",
        "unknown model",
        "The server is pinned to another model",
        '{"error": {"message": "no", "code": "model_not_found"}}',
    ],
)
@pytest.mark.parametrize("status", [400, 404])
def test_an_unknown_model_ends_the_run(status: int, message: str) -> None:
    assert kind_of(status, message) is Kind.MODEL


@pytest.mark.parametrize(
    "message",
    [
        "This model's chat template raised: Role 'system' not found",
        "model output validation: response schema not found",
        "Invalid model parameter temperature",
        "temperature must be at most 1",
    ],
)
def test_a_refusal_that_only_speaks_of_a_model_fails_the_one_request(message: str) -> None:
    assert kind_of(400, message) is Kind.REFUSED
