"""A GGUF file is converted once, and what is kept is the model of the file."""

from __future__ import annotations

import json
import logging
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from econ_env.llm import ModelError, shared_model
from econ_env.llm.cache.keys import local_version
from econ_env.llm.local import gguf_conversion
from econ_env.llm.local.gguf_conversion import SOURCE_FILE, converted_folder
from econ_env.llm.local.model import LocalModel
from econ_env.llm.registry import close_shared_models
from tests.econ_env.llm.api.gguf import write_gguf
from tests.econ_env.llm.api.test_real_servers import requests_to

pytestmark = pytest.mark.slow

pytest.importorskip("gguf", reason="gguf is not installed: pip install 'econ-env[local]'")
pytest.importorskip("accelerate", reason="accelerate is not installed: see econ-env[local]")


@pytest.fixture(scope="module")
def checkpoint(repository: Path) -> Path:
    return repository / "econ_env" / "llm" / "bundled" / "weights" / "0"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(autouse=True)
def _cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECON_MODELS", str(cache))


@pytest.fixture(scope="module")
def file(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundled model as a GGUF file."""
    path = tmp_path_factory.mktemp("gguf") / "bundled.gguf"
    write_gguf(checkpoint, path)
    return path


def test_it_answers_as_the_model_that_the_file_was_made_from(file: Path, checkpoint: Path) -> None:
    kept = shared_model(f"hf:{file}")
    source = LocalModel(str(checkpoint), name="source", device="cpu", dtype="bfloat16")
    same = LocalModel(str(file), name="same", device="cpu", dtype="bfloat16")
    assert kept.context_limit == source.context_limit
    texts = [
        [answer.text for answer in model.generate(requests_to(model.name, 6, 0.0, 1.0))]
        for model in (source, same)
    ]
    assert texts[0] == texts[1]
    assert all(texts[0])
    close_shared_models()


def test_weights_equal_those_of_the_file_read_directly(file: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, GgufConfig

    direct = AutoModelForCausalLM.from_pretrained(
        str(file.parent),
        gguf_file=file.name,
        dtype=torch.bfloat16,
        quantization_config=GgufConfig(dequantize=True),
    )
    kept = AutoModelForCausalLM.from_pretrained(str(converted_folder(file)), dtype="auto")
    assert kept.dtype == torch.bfloat16
    prompt = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        assert torch.equal(direct(prompt).logits, kept(prompt).logits)


def test_template_and_special_tokens_are_those_of_the_file(file: Path, checkpoint: Path) -> None:
    from transformers import AutoTokenizer

    kept = AutoTokenizer.from_pretrained(str(converted_folder(file)))
    source = AutoTokenizer.from_pretrained(str(checkpoint))
    assert kept.chat_template == source.chat_template
    assert kept.eos_token == source.eos_token
    assert kept.pad_token == source.pad_token
    text = "Ann has 12 pens.\n\n 3 + 4 = 7"
    assert kept(text).input_ids == source(text).input_ids


def test_only_data_are_kept(file: Path) -> None:
    suffixes = {path.suffix for path in converted_folder(file).iterdir()}
    assert suffixes <= {".json", ".safetensors", ".jinja"}


def test_it_is_converted_once_wherever_it_lies(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder = converted_folder(file)
    copy = tmp_path / "copy.gguf"
    shutil.copy(file, copy)

    def never(*args: object) -> None:
        raise AssertionError("converted again")

    monkeypatch.setattr(gguf_conversion, "_convert", never)
    assert converted_folder(copy) == folder
    # By now the copy is known, and is not even read.
    monkeypatch.setattr(gguf_conversion, "_sha256", never)
    with caplog.at_level(logging.WARNING):
        assert converted_folder(copy) == folder
    assert not caplog.records


def test_a_conversion_that_breaks_off_leaves_nothing(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECON_MODELS", str(tmp_path))

    def breaks(source: Path, folder: Path) -> None:
        folder.mkdir()
        (folder / "config.json").write_text("{}")
        raise KeyboardInterrupt

    monkeypatch.setattr(gguf_conversion, "_convert", breaks)
    with pytest.raises(KeyboardInterrupt):
        converted_folder(file)
    assert list((tmp_path / "converted").iterdir()) == []


def test_what_a_killed_conversion_left_is_removed_by_a_later_one(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECON_MODELS", str(tmp_path))
    kept = tmp_path / "converted"
    old, running = kept / "unfinished-old", kept / "unfinished-running"
    for folder in (old, running):
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(b"half")
    os.utime(old, (0, 0))
    converted_folder(file)
    assert not old.exists()
    assert running.exists()


def test_what_was_kept_names_its_file(file: Path) -> None:
    note = json.loads((converted_folder(file) / SOURCE_FILE).read_text())
    assert note["size"] == file.stat().st_size


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"PK\x03\x04", "does not begin with the letters GGUF"),
        (b"GGUF" + bytes(40), "cannot be read"),
        (b"GGUF\x03\x00\x00\x00" + b"\xff" * 60, "cannot be read"),
    ],
)
def test_what_is_no_model_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "x.gguf"
    file.write_bytes(content)
    with pytest.raises(ModelError, match=says):
        shared_model(f"hf:{file}")


def test_a_missing_file_and_a_folder_of_gguf_files_say_what_to_do(
    tmp_path: Path, file: Path
) -> None:
    with pytest.raises(ModelError, match="There is no file"):
        shared_model(f"hf:{tmp_path / 'none.gguf'}")
    with pytest.raises(ModelError, match=rf"hf:{file}"):
        shared_model(f"hf:{file.parent}")


def test_without_the_extra_the_message_says_what_to_install(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECON_MODELS", str(tmp_path))
    monkeypatch.setitem(__import__("sys").modules, "accelerate", None)
    with pytest.raises(ModelError, match=r"pip install \"econ-env\[local\]\""):
        converted_folder(file)


def test_a_full_disk_is_noticed_before_converting(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECON_MODELS", str(tmp_path))
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=1))
    with pytest.raises(ModelError, match="GB are free"):
        converted_folder(file)


def test_a_changed_file_has_another_version(file: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.gguf"
    shutil.copy(file, copy)
    before = local_version(str(copy))
    with copy.open("ab") as out:
        out.write(b"\0")
    assert before
    assert local_version(str(copy)) != before


def pieces(kind: str | None, text: str) -> list[str]:
    """Text as a byte-level tokenizer of a kind splits it."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    gguf_conversion._split_digits(SimpleNamespace(backend_tokenizer=backend), kind)
    return [piece for piece, _ in backend.pre_tokenizer.pre_tokenize_str(text)]


def test_tokenizers_that_take_every_digit_alone_do_so_before_the_rest_is_split() -> None:
    # As llama.cpp splits it for SmolLM2: the space stays with the line breaks.
    assert pieces("smollm", "\n\n 34") == ["ĊĊĠ", "3", "4"]
    assert pieces("gpt-2", "\n\n 34") == ["ĊĊ", "Ġ34"]


def test_texts_end_at_the_end_of_the_file_and_at_other_known_ends() -> None:
    def token(content: str, special: bool = True) -> SimpleNamespace:
        return SimpleNamespace(content=content, special=special)

    tokens = {3: token("<|endoftext|>"), 5: token("<|im_end|>"), 7: token("<|end|>", special=False)}
    tokenizer = SimpleNamespace(eos_token_id=5, added_tokens_decoder=tokens)
    assert gguf_conversion._end_tokens(tokenizer) == [5, 3]
    assert (
        gguf_conversion._end_tokens(SimpleNamespace(eos_token_id=None, added_tokens_decoder={}))
        is None
    )
