"""Reads GGUF files, the format of llama.cpp: each is converted once, and the result is kept.

transformers unpacks the quantised weights. The result is an ordinary folder: bfloat16 weights as
safetensors, tokenizer, chat template and generation settings, all from the file. It is kept beside
the fetched models, under the SHA-256 of the file, so a file is converted only once, wherever it is.
Nothing in a file is run: it holds tensors, settings and a chat template, which is rendered in a
sandbox.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import io
import json
import logging
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from econ_env.llm.local.catalogue import models_folder
from econ_env.llm.types import ModelError

CONVERTER = 1
"""Version of the conversion, part of the folder's name; increase it when results change."""

SOURCE_FILE = "gguf_source.json"
"""File in a converted folder that identifies the GGUF file it was made from."""

SUFFIX = ".gguf"

LEFTOVER_S = 3_600.0
"""Seconds without a change after which a conversion's folder is one that was killed."""
_UNFINISHED = "unfinished-"

_DIGITS_APART = frozenset(
    "smollm starcoder refact command-r codeshell exaone minerva-7b".split(),
)
"""Kinds of byte-level tokenizers (``tokenizer.ggml.pre``) that split off every digit before GPT-2's
rule splits the rest. transformers reads them without this first step."""

_ENDS = ("<|im_end|>", "<|endoftext|>", "<|end_of_text|>", "<|eot_id|>", "<|end|>", "<end_of_turn>")
"""Control tokens that always end a text, as in llama.cpp. The file names only one end token; models
that were trained with several stop at any of them."""

_log = logging.getLogger(__name__)


def is_gguf(path: str) -> bool:
    """Return True for the name of a GGUF file, False for a folder or a hub id."""
    return path.lower().endswith(SUFFIX)


def converted_folder(file: Path) -> Path:
    """Return the folder of a converted GGUF file; a missing one is made now, in about a minute.

    Args:
        file: the GGUF file.

    Raises:
        ModelError: there is no such file, transformers cannot read it as a model, a required
            package is not installed, or the disk is too full.
    """
    if not file.is_file():
        raise ModelError(f"There is no file {str(file)!r}.")
    file = file.resolve()
    kept = models_folder() / "converted"
    known = _made_from(kept, file)
    if known is not None:
        return known
    folder = kept / f"{_sha256(file)}-v{CONVERTER}"
    if (folder / SOURCE_FILE).is_file():
        with contextlib.suppress(OSError):  # a cache that this user may not write to
            _note_source(folder, file)
        return folder
    _check(file, kept)
    _log.warning("converting %s, once; the result is kept in %s", file.name, folder)
    try:
        kept.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(kept)
        with tempfile.TemporaryDirectory(dir=kept, prefix=_UNFINISHED) as scratch:
            made = Path(scratch) / folder.name
            _convert(file, made)
            _note_source(made, file)
            made.rename(folder)
    except OSError as error:
        if not (folder / SOURCE_FILE).is_file():  # another process may have been faster
            raise ModelError(f"{file.name}: the converted model cannot be kept: {error}") from error
    return folder


def _remove_leftovers(kept: Path) -> None:
    """Remove what conversions left that were killed; a running one is younger."""
    for folder in kept.glob(f"{_UNFINISHED}*"):
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > LEFTOVER_S:
                shutil.rmtree(folder, ignore_errors=True)


def _made_from(kept: Path, file: Path) -> Path | None:
    """Return the folder made from this file, by path, size and time; None: there is none."""
    for note in kept.glob(f"*-v{CONVERTER}/{SOURCE_FILE}"):
        with contextlib.suppress(OSError, ValueError):
            if json.loads(note.read_text(encoding="utf-8")) == _identity(file):
                return note.parent
    return None


def _note_source(folder: Path, file: Path) -> None:
    (folder / SOURCE_FILE).write_text(json.dumps(_identity(file)) + "\n", encoding="utf-8")


def _identity(file: Path) -> dict[str, Any]:
    stat = file.stat()
    return {"file": str(file), "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while block := opened.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()


def _check(file: Path, kept: Path) -> None:
    """Raise a :class:`ModelError` for problems at which a conversion would only fail later."""
    with file.open("rb") as opened:
        if opened.read(4) != b"GGUF":
            raise ModelError(f"{file} is not a GGUF file: it does not begin with the letters GGUF.")
    missing = [name for name in ("accelerate", "gguf") if importlib.util.find_spec(name) is None]
    if missing:
        raise ModelError(
            f"{file.name}: reading GGUF files needs {' and '.join(missing)}, not installed here: "
            'pip install "econ-env[local]"'
        )
    # The file mostly holds at least 4 bits per weight, the result holds 16.
    needed = 4 * file.stat().st_size
    there = next(folder for folder in (kept, *kept.parents) if folder.is_dir())
    free = shutil.disk_usage(there).free
    if free < needed:
        raise ModelError(
            f"{file.name}: converting it takes up to {needed / 1e9:.1f} GB in {kept}, where "
            f"{free / 1e9:.1f} GB are free. Make room, or set ECON_MODELS to a folder elsewhere."
        )


def _convert(file: Path, folder: Path) -> None:
    """Write the model of ``file`` to ``folder``."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    model: Any
    tokenizer: Any
    try:
        # The bars of transformers would interfere with this package's own, and fill log files.
        with contextlib.redirect_stderr(io.StringIO()):
            tokenizer = AutoTokenizer.from_pretrained(
                str(file.parent),
                gguf_file=file.name,
                local_files_only=True,
                trust_remote_code=False,
            )
            model = AutoModelForCausalLM.from_pretrained(
                str(file.parent),
                gguf_file=file.name,
                dtype=torch.bfloat16,
                quantization_config=GgufConfig(dequantize=True),
                local_files_only=True,
                trust_remote_code=False,
            )
            _split_digits(tokenizer, _text_setting(file, "tokenizer.ggml.pre"))
            model.generation_config.eos_token_id = _end_tokens(tokenizer)
            model.save_pretrained(str(folder))
            tokenizer.save_pretrained(str(folder))
    except Exception as error:  # transformers raises anything at the files of others
        raise ModelError(
            f"The GGUF file {str(file)!r} cannot be read: {type(error).__name__}: {error}. It must "
            "hold a causal language model with its tokenizer, of a kind that transformers knows."
        ) from error


def _split_digits(tokenizer: Any, kind: str | None) -> None:
    from tokenizers import pre_tokenizers

    if kind in _DIGITS_APART:
        backend = tokenizer.backend_tokenizer
        digits = pre_tokenizers.Digits(individual_digits=True)
        backend.pre_tokenizer = pre_tokenizers.Sequence([digits, backend.pre_tokenizer])


def _text_setting(file: Path, key: str) -> str | None:
    """Return a text among the settings of a GGUF file; None: it has no text of this name."""
    from gguf import GGUFReader

    field = GGUFReader(file).get_field(key)
    return None if field is None else str(field.contents())


def _end_tokens(tokenizer: Any) -> list[int] | None:
    """Return the ids that end a text: the file's own first."""
    control = {
        token.content: number
        for number, token in tokenizer.added_tokens_decoder.items()
        if token.special
    }
    ends = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
    ends += [control[text] for text in _ENDS if text in control]
    return list(dict.fromkeys(ends)) or None
