"""One name, one embedder: shared by everybody in the process."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from econ_env.embeddings import EmbedderError, HashingEncoder, load_embedder


def test_a_name_gives_the_same_object_to_every_thread() -> None:
    with ThreadPoolExecutor(8) as pool:
        embedders = list(pool.map(load_embedder, ["hashing"] * 32))
    assert all(embedder is embedders[0] for embedder in embedders)


def test_the_name_decides_the_kind() -> None:
    embedder = load_embedder("hashing")
    assert (embedder.name, embedder.dim) == ("hashing", 64)
    assert np.array_equal(embedder.embed(["text"]), HashingEncoder().encode(["text"]))
    assert (load_embedder("minilm").name, load_embedder("minilm").dim) == ("minilm", 384)


@pytest.mark.parametrize("name", ["word2vec", "", "all-MiniLM-L6-v2"])
def test_an_unknown_name_lists_what_is_accepted(name: str) -> None:
    with pytest.raises(EmbedderError, match=r'unknown embedder.*"hashing", "minilm".*owner/model'):
        load_embedder(name)


def test_a_name_that_is_nearly_known_is_suggested() -> None:
    with pytest.raises(EmbedderError, match=r"unknown embedder 'minlm'\. Did you mean 'minilm'\?$"):
        load_embedder("minlm")
