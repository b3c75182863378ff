"""A file of completions keeps what it was given, whoever writes, dies or tampers."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from econ_env.llm.cache.store import (
    MAX_ENTRY_CHARACTERS,
    CompletionStore,
    ModelFacts,
    StoreError,
)
from econ_env.llm.types import MAX_COUNT, Completion, Usage
from econ_env.record_json import to_plain

DONE = Completion(text="7", usage=Usage(prompt_tokens=3, completion_tokens=1, requests=1))
FACTS = ModelFacts(name="m", settings="{}", version="a", context_limit=512, tokens_per_message=4)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[CompletionStore]:
    store = CompletionStore(path)
    yield store
    store.close()


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CompletionStore]:
    store = CompletionStore(tmp_path_factory.mktemp("laws") / "cache.sqlite")
    yield store
    store.close()


def put(store: CompletionStore, key: str, completion: Completion = DONE) -> Completion:
    return store.put(key, '{"seed":1}', completion, model="m", role="execute")


def read(path: Path, key: str, **settings: Any) -> Completion | None:
    store = CompletionStore(path, **settings)
    try:
        return store.get(key)
    finally:
        store.close()


def test_what_was_put_is_there_for_the_next_process(path: Path, store: CompletionStore) -> None:
    assert store.get("k") is None
    assert put(store, "k") == DONE
    store.close()
    assert read(path, "k") == DONE


@given(
    text=st.text(st.characters()),
    reason=st.sampled_from(["stop", "length"]),
    tokens=st.integers(0, MAX_COUNT),
)
def test_every_success_comes_back_as_it_was(
    lasting: CompletionStore, text: str, reason: Any, tokens: int
) -> None:
    given_one = Completion(text=text, usage=Usage(prompt_tokens=tokens), finish_reason=reason)
    key = repr((text, reason, tokens))
    assert put(lasting, key, given_one) == lasting.get(key) == given_one


def test_the_first_answer_stands(store: CompletionStore) -> None:
    put(store, "k")
    assert put(store, "k", Completion(text="another")) == DONE
    assert store.get("k") == DONE


@pytest.mark.parametrize(
    "failed", [Completion.failure("out of order"), Completion(text="", finish_reason="error")]
)
def test_failures_are_refused(store: CompletionStore, failed: Completion) -> None:
    with pytest.raises(ValueError, match="never stored"):
        put(store, "k", failed)


def test_facts_are_found_by_version_or_as_noted_last(store: CompletionStore) -> None:
    assert store.facts("m", "{}") is None
    other = ModelFacts(
        name="m", settings="{}", version="b", context_limit=None, tokens_per_message=9
    )
    store.note(FACTS)
    store.note(other)
    assert store.facts("m", "{}", "a") == FACTS
    assert store.facts("m", "{}") == other
    store.note(FACTS)
    assert store.facts("m", "{}") == FACTS
    assert store.facts("m", '{"second_action":"none"}') is None


def test_lengths_and_counts_are_kept(store: CompletionStore) -> None:
    assert store.token_count("m", "t") is None
    store.keep_token_count("m", "t", 12)
    assert store.token_count("m", "t") == 12
    assert store.token_count("n", "t") is None
    put(store, "k")
    assert (store.count("m"), store.count("n")) == (1, 0)


def test_a_replay_reads_without_adding(path: Path, store: CompletionStore) -> None:
    put(store, "k")
    reader = CompletionStore(path, read_only=True)
    assert reader.get("k") == DONE
    with pytest.raises(StoreError, match=r"cache\.sqlite.*readonly"):
        put(reader, "other")
    reader.close()


def test_a_replay_of_nothing_says_how_to_record(path: Path) -> None:
    with pytest.raises(StoreError, match=r"cache\.sqlite.*record one first"):
        read(path, "k", read_only=True)
    path.touch()
    with pytest.raises(StoreError, match=r"cache\.sqlite is empty"):
        read(path, "k", read_only=True)
    assert not path.read_bytes()


READER = """
import os, sys
from econ_env.llm.cache.store import CompletionStore

if os.geteuid() == 0:
    os.setuid(65534)
print(CompletionStore(sys.argv[1], read_only=True).get("k").text)
"""


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_a_file_in_a_folder_that_refuses_writing_is_replayed() -> None:
    # Not in tmp_path, which nobody else may enter: permissions mean nothing to root, so that the
    # reader becomes somebody else.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = CompletionStore(folder / "cache.sqlite")
        put(store, "k")
        store.close()
        store.path.chmod(0o644)  # shared on purpose: it is made for its owner only
        folder.chmod(0o555)
        arguments = [sys.executable, "-c", READER, str(store.path)]
        told = subprocess.run(arguments, capture_output=True, text=True, check=False)
        folder.chmod(0o755)
        assert (told.stdout, told.stderr) == ("7\n", "")
        assert [file.name for file in folder.iterdir()] == ["cache.sqlite"]


@pytest.mark.parametrize("read_only", [False, True])
def test_files_of_others_are_named_and_left_alone(path: Path, read_only: bool) -> None:
    path.write_text("this is no database, but it is long enough to be taken for one" * 99)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"cache\.sqlite.*not a database"):
        read(path, "k", read_only=read_only)
    assert path.read_bytes() == before
    path.unlink()
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE completions (key)")
    other.close()
    with pytest.raises(StoreError, match=r"cache\.sqlite is a database of another program"):
        read(path, "k", read_only=read_only)


def test_a_folder_and_a_file_in_the_way_are_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="names the folder"):
        read(tmp_path, "k")
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be made"):
        read(tmp_path / "file" / "cache.sqlite", "k")


def edit(path: Path, statement: str, *values: object) -> None:
    with sqlite3.connect(path) as raw:
        raw.execute(statement, values)
    raw.close()


def test_another_schema_version_is_refused(path: Path, store: CompletionStore) -> None:
    put(store, "k")
    store.close()
    edit(path, "PRAGMA user_version = 99")
    with pytest.raises(StoreError, match=r"cache\.sqlite has schema version 99"):
        store.get("k")


@pytest.mark.parametrize(
    "text",
    [
        "{", "[]", "7", "[" * 100_000, '{"text": "7"}',
        json.dumps({"text": 7, "usage": {}, "finish_reason": "stop", "error": None}),
        b"\x80\x04K\x07.",
    ],
    ids=lambda text: repr(text[:20]),
)  # fmt: skip
def test_an_entry_that_was_tampered_with_is_an_error(
    path: Path, store: CompletionStore, text: object
) -> None:
    put(store, "k")
    store.close()
    edit(path, "UPDATE completions SET completion = ?", text)
    with pytest.raises(StoreError, match=r"cache\.sqlite: the completion k is damaged"):
        store.get("k")


@pytest.mark.parametrize("count", ["-5", "1e999", "true", "9" * 400])
def test_a_stored_count_that_is_none_is_an_error(
    path: Path, store: CompletionStore, count: str
) -> None:
    store.put("k", "{}", DONE, model="m", role="execute")
    stored = json.dumps(to_plain(DONE)).replace('"prompt_tokens": 3', f'"prompt_tokens": {count}')
    edit(path, "UPDATE completions SET completion = ?", stored)
    with pytest.raises(StoreError, match=r"the completion k is damaged"):
        store.get("k")


def test_an_entry_is_bounded_in_size(path: Path, store: CompletionStore) -> None:
    long = replace(DONE, text="x" * MAX_ENTRY_CHARACTERS)
    with pytest.raises(StoreError, match="keep to max_tokens"):
        store.put("k", "{}", long, model="m", role="execute")
    assert store.get("k") is None
    store.put("k", "{}", DONE, model="m", role="execute")
    edit(path, "UPDATE completions SET completion = ?", json.dumps(to_plain(long)))
    with pytest.raises(StoreError, match="too long"):
        store.get("k")


def test_damaged_facts_and_lengths_are_errors(path: Path, store: CompletionStore) -> None:
    store.note(FACTS)
    store.keep_token_count("m", "t", 12)
    store.close()
    edit(path, "UPDATE models SET context_limit = 'many'")
    edit(path, "UPDATE token_counts SET tokens = 'many'")
    with pytest.raises(StoreError, match=r"cache\.sqlite: the model 'm' is damaged"):
        store.facts("m", "{}")
    with pytest.raises(StoreError, match=r"cache\.sqlite: the token count of t is damaged"):
        store.token_count("m", "t")


def test_damaged_pages_are_an_error(path: Path, store: CompletionStore) -> None:
    for index in range(200):
        put(store, f"k{index}", Completion(text="x" * 500))
    store.close()
    whole = bytearray(path.read_bytes())
    whole[4096:] = b"\xff" * (len(whole) - 4096)
    path.write_bytes(whole)
    with pytest.raises(StoreError, match=r"cache\.sqlite: the file is damaged"):
        store.get("k1")


WRITER = """
import sys
from econ_env.llm.cache.store import CompletionStore
from econ_env.llm.types import Completion

path, who, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
store = CompletionStore(path)
for index in range(count):
    for key in (f"shared{index}", f"{who}-{index}"):
        kept = store.put(key, "{}", Completion(text=who), model=who, role="execute")
        print(key, kept.text, flush=True)
"""


def writer(path: Path, who: str, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), who, str(count)],
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_processes_that_write_at_once_agree_and_lose_nothing(
    path: Path, store: CompletionStore
) -> None:
    processes = [writer(path, who, 50) for who in "abc"]
    told = [dict(line.split() for line in p.communicate()[0].splitlines()) for p in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    for index in range(50):
        stored = store.get(f"shared{index}")
        assert stored is not None
        assert {one[f"shared{index}"] for one in told} == {stored.text}
        for who in "abc":
            assert store.get(f"{who}-{index}") == Completion(text=who)


def test_a_killed_writer_loses_nothing_that_it_had_stored(
    path: Path, store: CompletionStore
) -> None:
    process = writer(path, "a", 100_000)
    assert process.stdout is not None
    stored = [process.stdout.readline().split()[0] for _ in range(40)]
    process.send_signal(signal.SIGKILL)
    stored += [line.split()[0] for line in process.stdout if line.endswith("a\n")]
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    assert all(store.get(key) == Completion(text="a") for key in stored)
    assert put(store, "after") == DONE
    with sqlite3.connect(path) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    raw.close()


def test_threads_share_a_store(store: CompletionStore) -> None:
    threads = [threading.Thread(target=put, args=(store, f"k{i % 5}")) for i in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.count("m") == 5


FORKER = """
import os, signal, sys
from econ_env.llm.cache.store import CompletionStore
from econ_env.llm.types import Completion

store = CompletionStore(sys.argv[1])
put = lambda key: store.put(key, "{}", Completion(text=key), model="m", role="execute")
put("parent")
# As if a thread were at work: the child must wait for no lock that nobody will release there.
with store._file.use():
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        assert store.get("parent").text == "parent"
        put("child")
        os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert store.get("child").text == "child"
put("parent again")
print(store.count("m"))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_uses_a_connection_of_its_own(path: Path) -> None:
    arguments = [sys.executable, "-c", FORKER, str(path)]
    told = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert (told.stdout, told.stderr) == ("3\n", "")
