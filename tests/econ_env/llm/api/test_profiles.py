"""Fields that are sent to each kind of server."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from econ_env.llm.api import PROFILES, ApiModel, ApiSettings, UnsupportedSetting
from econ_env.llm.api.body import frequency_penalty, request_body
from tests.econ_env.llm.api.support import model_on, request
from tests.misbehaving_dialects import DIALECTS
from tests.misbehaving_server import MisbehavingServer

COMMON = {"model", "messages", "temperature", "top_p", "seed"}


def body_of(
    profile: str, choices: int = 1, role: str = "execute", **changes: Any
) -> dict[str, Any]:
    """The parsed body of a request with temperature 0.7, penalty 1.3 and seed 7."""
    data = request_body(
        request(repetition_penalty=1.3, role=role),
        model="m",
        profile=PROFILES[profile],
        settings=ApiSettings(**changes),
        choices=choices,
    )
    body: dict[str, Any] = json.loads(data)
    return body


@pytest.mark.parametrize(
    ("profile", "own"),
    [
        ("together", {"repetition_penalty": 1.3, "max_tokens": 64}),
        ("vllm", {"repetition_penalty": 1.3, "max_tokens": 64, "top_k": -1, "min_p": 0.0}),
        ("sglang", {"repetition_penalty": 1.3, "max_tokens": 64, "top_k": -1, "min_p": 0.0}),
        (
            "llamacpp",
            {
                "repeat_penalty": 1.3,
                "max_tokens": 64,
                "top_k": 0,
                "min_p": 0.0,
                "repeat_last_n": 32_768,
                "samplers": ["penalties", "temperature", "top_p"],
            },
        ),
        (
            "llamacpp_python",
            {"repeat_penalty": 1.3, "max_tokens": 64, "top_k": 0, "min_p": 0.0},
        ),
        ("litellm", {"repetition_penalty": 1.3, "max_tokens": 64}),
    ],
)
def test_every_server_gets_the_penalty_under_its_own_name(
    profile: str, own: dict[str, Any]
) -> None:
    body = body_of(profile)
    assert body.keys() - COMMON == own.keys()
    assert {name: body[name] for name in own} == own
    assert (body["temperature"], body["top_p"], body["seed"]) == (0.7, 0.9, 7)


def test_openai_gets_nothing_that_it_does_not_know() -> None:
    body = body_of("openai", second_action="none")
    assert body.keys() == COMMON | {"max_completion_tokens"}
    assert body["messages"] == [{"role": "user", "content": "What is 3 + 4?"}]


def test_transformers_gets_its_sampling_as_a_json_string() -> None:
    body = body_of("transformers")
    assert body.keys() == {"model", "messages", "max_tokens", "seed", "generation_config"}
    assert json.loads(body["generation_config"]) == {
        "do_sample": True,
        "temperature": 0.7,
        "top_p": 0.9,
        "top_k": 0,
        "repetition_penalty": 1.3,
    }
    greedy = request_body(
        request(temperature=0.0),
        model="m",
        profile=PROFILES["transformers"],
        settings=ApiSettings(),
    )
    config = json.loads(json.loads(greedy)["generation_config"])
    assert config == {"do_sample": False, "repetition_penalty": 1.0}


@pytest.mark.parametrize("profile", ["openai", "ollama"])
def test_a_server_without_a_repetition_penalty_is_refused_at_construction(profile: str) -> None:
    name = f"{profile}:m@http://localhost:1/v1"
    with pytest.raises(UnsupportedSetting, match='second_action="frequency_penalty"'):
        ApiModel(name)
    ApiModel(name, ApiSettings(second_action="frequency_penalty"))
    ApiModel(name, ApiSettings(second_action="none"))


def test_what_a_server_does_not_have_is_refused_at_construction() -> None:
    name = "transformers:m@http://localhost:1/v1"
    with pytest.raises(UnsupportedSetting, match="no frequency penalty"):
        ApiModel(name, ApiSettings(second_action="frequency_penalty"))
    with pytest.raises(UnsupportedSetting, match="no JSON mode"):
        ApiModel(name, ApiSettings(json_mode=True))


def test_the_second_action_can_be_a_frequency_penalty_or_nothing() -> None:
    body = body_of("openai", second_action="frequency_penalty")
    assert body["frequency_penalty"] == pytest.approx(4 * math.log(1.3))
    both = body_of("llamacpp_python", second_action="frequency_penalty")
    assert both["repeat_penalty"] == 1.0, "its own default is 1.1"
    assert "frequency_penalty" in both
    assert body_of("vllm", second_action="none")["repetition_penalty"] == 1.0


@given(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))
def test_the_map_to_a_frequency_penalty_is_neutral_rising_odd_and_bounded(
    first: float, second: float
) -> None:
    assert frequency_penalty(1.0) == 0.0
    assert -2.0 <= frequency_penalty(first) <= 2.0
    assert frequency_penalty(1 / first) == pytest.approx(-frequency_penalty(first))
    if first < second:
        assert frequency_penalty(first) <= frequency_penalty(second)


def test_the_default_box_maps_inside_of_what_servers_accept() -> None:
    assert frequency_penalty(0.8) == pytest.approx(-0.893, abs=1e-3)
    assert frequency_penalty(1.5) == pytest.approx(1.622, abs=1e-3)


def test_json_mode_is_asked_for_where_a_coordinator_commits() -> None:
    for role in ("commit", "local_commit"):
        body = body_of("vllm", role=role, json_mode=True)
        assert body["response_format"] == {"type": "json_object"}
    assert "response_format" not in body_of("vllm", role="execute", json_mode=True)
    assert "response_format" not in body_of("vllm", role="commit")


@pytest.mark.parametrize("changes", [{"temperature": math.nan}, {"repetition_penalty": 0.0}])
def test_a_request_that_is_no_json_fails_alone(changes: dict[str, Any]) -> None:
    with MisbehavingServer("vllm") as server:
        model = model_on(server)
        bad, good = model.generate([request(**changes), request()])
        model.close()
    assert bad.error is not None
    assert good.error is None


@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_what_is_sent_takes_effect_in_the_dialect_of_the_server(name: str) -> None:
    penalised = PROFILES[name].penalty is not None
    with MisbehavingServer(name) as server:
        model = model_on(server, second_action="repetition_penalty" if penalised else "none")
        plain, hot, nucleus, again, strict = model.generate(
            [
                request(),
                request(temperature=1.5),
                request(top_p=0.1),
                request(),
                request(repetition_penalty=1.4),
            ]
        )
        model.close()
    assert plain.error is None
    assert plain.text == again.text
    assert len({plain.text, hot.text, nucleus.text}) == 3
    assert (strict.text != plain.text) == penalised


def test_what_is_sent_to_a_server_is_part_of_the_version_of_its_answers() -> None:
    wires = [str(profile.wire) for profile in PROFILES.values()]
    assert len(set(wires)) > 4
    model = ApiModel("llamacpp:m@http://127.0.0.1:9/v1")
    assert str(PROFILES["llamacpp"].wire) in model.version
    model.close()


@pytest.mark.parametrize("profile", PROFILES)
def test_an_engine_that_can_constrain_a_commitment_is_given_its_schema(profile: str) -> None:
    schema = '{"type": "object"}'
    data = request_body(
        request(role="commit", schema=schema),
        model="m",
        profile=PROFILES[profile],
        settings=ApiSettings(),
    )
    form = json.loads(data).get("response_format")
    if profile in ("vllm", "sglang", "llamacpp"):
        asked = {"name": "commit", "strict": True, "schema": {"type": "object"}}
        assert form == {"type": "json_schema", "json_schema": asked}
    else:
        assert form is None
