"""Data sets of the hub: read once, then without it; and every refusal says what to do.

``datasets`` reads its settings when it is imported, so everything happens in processes of its own:
one that reaches a hub on this machine, then one that reaches none.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.econ_env.questions.hub_server import COMMIT, hub

pytestmark = pytest.mark.slow

PROBE = """
import json, sys
from econ_env.questions import QuestionError, load_questions
for settings in json.loads(sys.argv[1]):
    try:
        source = load_questions(**settings)
        texts = [source[index].text for index in range(len(source))]
        outcome = {"name": source.name, "texts": texts, "id": source[0].id}
    except QuestionError as error:
        outcome = {"error": str(error)}
    print(json.dumps({**outcome, "imported": "datasets" in sys.modules}), flush=True)
"""

GOOD = {"dataset": "org/GoodQA", "subset": "main"}
ONLINE: dict[str, dict[str, Any]] = {
    "first": GOOD,
    "again": GOOD,
    "train": {**GOOD, "split": "train"},
    "pinned": {**GOOD, "revision": "v1"},
    "no such revision": {**GOOD, "revision": "v2"},
    "no such split": {**GOOD, "split": "validation"},
    "no subset": {"dataset": "org/GoodQA"},
    "no such subset": {"dataset": "org/GoodQA", "subset": "other"},
    "bad row": {"dataset": "org/GoodQA", "subset": "bad"},
    "missing field": {**GOOD, "question_field_name": "prompt", "answer_field_name": "answer"},
    "gated": {"dataset": "org/gated"},
    "absent": {"dataset": "org/absent"},
    "broken": {"dataset": "org/broken"},
    "streamed": {**GOOD, "streaming": True, "max_question_length": 6},
}
OFFLINE: dict[str, dict[str, Any]] = {
    "preset": {"dataset": "gsm8k"},
    "no subset": {"dataset": "org/GoodQA"},
    "other commit": {**GOOD, "revision": "b" * 40},
    "copy": GOOD,
    "pinned copy": {**GOOD, "revision": "v1"},
    "commit of the copy": {**GOOD, "revision": COMMIT},
    "streamed copy": {**GOOD, "split": "train", "streaming": True},
    "no such split": {**GOOD, "split": "validation"},
}


def outcomes(cases: dict[str, dict[str, Any]], address: str, home: Path) -> dict[str, Any]:
    """Results of all cases, in one process that has ``address`` as its hub."""
    offline = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")
    process = subprocess.run(
        [sys.executable, "-c", PROBE, json.dumps(list(cases.values()))],
        env={name: value for name, value in os.environ.items() if name not in offline}
        # Without torch, which datasets would import for streams.
        | {"HF_ENDPOINT": address, "HF_HOME": str(home), "NO_PROXY": "127.0.0.1", "USE_TORCH": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert process.stderr == "", "no bars and no warnings where there is no terminal"
    return dict(zip(cases, map(json.loads, process.stdout.splitlines()), strict=True))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("huggingface")


@pytest.fixture(scope="module")
def online(home: Path) -> dict[str, Any]:
    with hub() as address:
        return outcomes(ONLINE, address, home)


@pytest.fixture(scope="module")
def offline(home: Path, online: dict[str, Any]) -> dict[str, Any]:
    """The same machine without its hub: nobody listens at the address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return outcomes(OFFLINE, f"http://127.0.0.1:{port}", home)


TEST = [f"test {index}" for index in range(5)]
TRAIN = [f"train {index}" for index in range(7)]


def test_a_hub_id_is_read_by_subset_split_and_revision(online: dict[str, Any]) -> None:
    assert online["first"]["texts"] == online["again"]["texts"] == TEST
    assert online["first"]["name"] == "org/GoodQA/main/test"
    assert online["first"]["id"] == "org/GoodQA/main/test:1"
    assert online["train"]["texts"] == TRAIN
    assert online["pinned"]["texts"] == TEST


def test_a_stream_gives_the_same_questions(online: dict[str, Any]) -> None:
    assert online["streamed"]["texts"] == TEST


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("no such revision", ["revision 'v2'", "doesn't exist", "Check the revision"]),
        ("no such split", ["split 'validation'", "'train', 'test'", "Choose one with split"]),
        ("no subset", ["'main', 'bad'", "Choose one with subset"]),
        ("no such subset", ["subset 'other'", "'main', 'bad'", "Choose one with subset"]),
        ("bad row", ["org/GoodQA (subset 'bad', split 'test'), row 2", "'question' is empty"]),
        ("missing field", ["row 1", "no field 'prompt'", "fields there: 'question', 'answer'"]),
        ("gated", ["org/gated", "gated", "`hf auth login`", "HF_TOKEN"]),
        ("absent", ["org/absent", "doesn't exist", "Check the name"]),
        ("broken", ["org/broken", "does not answer within 3 s", "dataset='path/to/test.jsonl'"]),
    ],
)
def test_what_the_hub_refuses_is_explained(
    online: dict[str, Any], case: str, words: list[str]
) -> None:
    message = online[case]["error"]
    assert [word for word in words if word not in message] == [], message
    assert "\n" not in message


def test_a_copy_on_this_machine_needs_no_hub(offline: dict[str, Any]) -> None:
    for case in ("copy", "pinned copy", "commit of the copy"):
        assert offline[case]["texts"] == TEST
    assert offline["streamed copy"]["texts"] == TRAIN
    assert "'train', 'test'" in offline["no such split"]["error"]


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("preset", ["openai/gsm8k (subset 'main', split 'test')", "no copy of this name"]),
        ("no subset", ["org/GoodQA (split 'test')", "subset 'main' at aaaaaaaaaaaa"]),
        ("other commit", ["this machine has only", "subset 'main' at aaaaaaaaaaaa"]),
    ],
)
def test_without_a_hub_the_remedy_comes_before_anything_slow(
    offline: dict[str, Any], case: str, words: list[str]
) -> None:
    message = offline[case]["error"]
    remedies = ["dataset='path/to/test.jsonl'", "datasets.load_dataset('o", "does not answer"]
    assert [word for word in words + remedies if word not in message] == [], message
    # load_dataset would retry for half a minute, and importing its library takes seconds.
    assert not offline[case]["imported"]
