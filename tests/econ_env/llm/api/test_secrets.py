"""The key of a server is nowhere but in the header of a request."""

from __future__ import annotations

import json
import logging
import pickle
import re
import traceback
from pathlib import Path

import pytest

from econ_env.config import EnvConfig
from econ_env.envs.batched import BatchedEconEnv
from econ_env.llm import close_shared_models
from econ_env.llm.api import ApiModel
from econ_env.llm.api.errors import Fault, fault_of_status
from econ_env.llm.api.reply import read_reply
from econ_env.llm.api.secret import Secret
from tests.econ_env.llm.api.soak import answer
from tests.econ_env.llm.api.support import KEY, model_on, request, settings
from tests.misbehaving_faults import FAULTS
from tests.misbehaving_server import Ask, MisbehavingServer


def served(ask: Ask) -> str:
    return answer(ask.messages[0]["content"], ask.temperature, ask.penalty)


def test_the_server_does_get_the_key() -> None:
    with MisbehavingServer(key=KEY) as server:
        model = model_on(server)
        assert model.generate([request()])[0].error is None
        model.close()
    assert server.chats[0].headers["authorization"] == f"Bearer {KEY}"


def test_a_key_of_netrc_does_not_replace_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password other\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with MisbehavingServer(key=KEY) as server:
        model = model_on(server)
        assert model.generate([request()])[0].error is None
        model.close()


def test_nothing_that_is_written_while_everything_goes_wrong_holds_the_key(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    written: list[object] = []
    with caplog.at_level(logging.DEBUG), MisbehavingServer() as server:
        model = model_on(server, read_timeout_s=0.3, max_unusable_replies=2)
        for fault in FAULTS:
            server.schedule(fault, fault)
            try:
                completion = model.generate([request()])[0]
                written += [completion, repr(completion), completion.text]
            except Exception as error:  # noqa: BLE001 - whatever it is, its text is looked at
                stack = traceback.TracebackException.from_exception(error, capture_locals=True)
                written += [str(error), repr(error), "".join(stack.format())]
                written.append(pickle.dumps(error))
            server.forget_schedule()
        written += [repr(model), str(model), repr(vars(model)), pickle.dumps(model)]
        written += [repr(model.address), repr(model.settings)]
        model.close()
    logged = [record.getMessage() for record in caplog.records]
    assert any("urllib3" in record.name for record in caplog.records)
    assert any(record.name == "econ_env.llm.api" for record in caplog.records)
    everything = "\n".join(map(str, [*written, *logged, caplog.text, *capfd.readouterr()]))
    assert "[key]" in everything, "the server did echo it"
    assert KEY not in everything


def test_transcripts_settings_and_play_do_not_hold_the_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VLLM_API_KEY", KEY)
    monkeypatch.setenv("ECON_ALLOW_KEY_FOR", "127.0.0.1")
    with MisbehavingServer("vllm", answer=served, key=KEY) as server:
        server.mix({"say_key": 0.5, "400": 0.2})
        config = EnvConfig(
            dataset="simulated",
            llm=f"vllm:m@{server.url}",
            prompts="compact",
            embedder="hashing",
        )
        env = BatchedEconEnv(config, num_questions=16)
        env.reset(seed=0)
        actions = {agent: env.action_space(agent).sample() for agent in env.possible_agents}
        env.step({agent: [action] * 16 for agent, action in actions.items()})
        written = json.dumps([transcript.to_json() for transcript in env.transcripts])
        written += json.dumps(config.to_json()) + repr(config) + str(pickle.dumps(config))
        close_shared_models()
    assert "you sent [key]" in written
    assert "refused (400" in written
    assert KEY not in written


def test_a_server_that_cannot_be_reached_does_not_bring_the_key_into_the_error() -> None:
    model = ApiModel("openai:m@http://127.0.0.1:9/v1", settings(request_budget_s=0.05), api_key=KEY)
    with pytest.raises(Exception, match="cannot be reached") as caught:
        model.generate([request()])
    stack = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert KEY not in "".join(stack.format())
    model.close()


@pytest.mark.parametrize("text", ["{}", "x{}y", "{}{}", "no key at all"])
def test_scrubbing_takes_the_key_out_and_leaves_the_rest(text: str) -> None:
    secret = Secret("sk-a/b&c=1234")
    for form in ("sk-a/b&c=1234", "sk-a%2Fb%26c%3D1234", "sk-a/b&amp;c=1234"):
        assert secret.scrub(text.replace("{}", form)) == text.replace("{}", "[key]")


@pytest.mark.parametrize(
    "echo",
    [r"abcd\/efgh&ijkl+mnop==", r"abcd/efgh\u0026ijkl\u002bmnop==", "abcd/efgh&ijkl+mnop=="],
)
def test_a_body_that_spells_the_key_with_escapes_does_not_get_it_through(echo: str) -> None:
    key = "abcd/efgh&ijkl+mnop=="
    text = Secret(key).scrub_body(f'{{"error": {{"message": "wrong key {echo}"}}}}')
    fault = fault_of_status(401, {}, text, 0.0)
    assert fault.words == "401: wrong key [key]"


def test_a_body_that_is_no_json_is_scrubbed_as_it_is() -> None:
    assert Secret(KEY).scrub_body(f"<p>{KEY}</p>") == "<p>[key]</p>"


LONG_KEY = "sk-" + "0123456789abcdef" * 6
SPELLED = "".join(f"\\u{ord(character):04x}" for character in LONG_KEY)


def failed_choice(**fields: object) -> bytes:
    """A body of one choice without an answer."""
    return json.dumps({"choices": [{"index": 0, "message": {"content": None}, **fields}]}).encode()


@pytest.mark.parametrize(
    "data",
    [
        *(
            json.dumps({"error": said}).encode()
            for before in (0, 400, 440, 470, 490, 499)
            for said in (
                f"{'.' * before}{LONG_KEY}",
                {"message": f"{'.' * before}{LONG_KEY}"},
                {"message": {"detail": f"{'.' * before}{LONG_KEY}"}},
                [f"{'.' * before}{LONG_KEY}"],
            )
        ),
        f'{{"error": {{"message": "{"." * 470}{SPELLED}"}}}}'.encode(),
        f'{{"echo": "{SPELLED}"}}'.encode(),
        f'{{"echo": "{SPELLED}", "choices": []}}'.encode(),
        f'{{"echo": "{SPELLED}", "choices": ['.encode(),
        failed_choice(finish_reason=LONG_KEY),
        failed_choice(finish_reason="." * 470 + LONG_KEY),
    ],
)
def test_no_part_of_the_key_is_in_the_words_about_an_answer_without_content(data: bytes) -> None:
    read = read_reply(data, choices=1, max_tokens=64, secret=Secret(LONG_KEY))
    fault = read if isinstance(read, Fault) else read.choices[0]
    assert isinstance(fault, Fault)
    assert "[key]" in fault.words or fault.words.endswith("...")
    assert "sk-" not in fault.words
    assert "0123" not in fault.words
    assert "u0030" not in fault.words


def test_a_placeholder_is_no_secret() -> None:
    assert Secret("EMPTY").scrub("an EMPTY set") == "an EMPTY set"


@pytest.mark.parametrize("value", ["", "with space", "line\nbreak", "ümlaut"])
def test_what_cannot_be_a_key_is_refused_without_repeating_it(value: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII") as caught:
        Secret(value)
    assert not value or value not in str(caught.value)


def test_a_secret_cannot_be_printed_or_pickled() -> None:
    secret = Secret(KEY)
    assert KEY not in f"{secret} {secret!r}"
    assert secret.reveal() == KEY
    with pytest.raises(TypeError, match="neither pickled nor copied"):
        pickle.dumps(secret)
    with pytest.raises(TypeError) as caught:
        json.dumps({"key": secret})
    assert not re.search(KEY, str(caught.value))
