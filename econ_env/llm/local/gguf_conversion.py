"""Reads GGUF files, the format of llama.cpp: each is converted once, and the result is kept.

transformers unpacks the quantised weights; what is kept is an ordinary folder: bfloat16 weights as
safetensors, tokenizer, chat template and generation settings, all those of the file. It lies beside
the fetched models, under the SHA-256 of the file, so a file is converted once wherever it lies.
Nothing of a file is run: it holds tensors, settings and a chat template, which is rendered in a
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
import struct
import tempfile
from pathlib import Path
from typing import Any

from econ_env.llm.local.catalogue import models_folder
from econ_env.llm.types import ModelError

CONVERTER = 1
"""Part of the name of what is kept: a conversion that gives another result gets another number."""

SOURCE_FILE = "gguf_source.json"
"""In a converted folder: which file it was made from."""

SUFFIX = ".gguf"

_DIGITS_APART = frozenset(
    "smollm starcoder refact command-r codeshell exaone minerva-7b".split(),
)
"""Kinds of byte-level tokenizers (``tokenizer.ggml.pre``) that take every digit for itself before
GPT-2's rule splits the rest. transformers reads them without this first step."""

_ENDS = ("<|im_end|>", "<|endoftext|>", "<|end_of_text|>", "<|eot_id|>", "<|end|>", "<end_of_turn>")
"""Control tokens that end a text whatever else the file says, as llama.cpp has it too. The file
names only one end; models that were trained on several stop at any of them."""

_log = logging.getLogger(__name__)


def is_gguf(path: str) -> bool:
    """Tell a GGUF file from a folder or a hub id, by its name."""
    return path.lower().endswith(SUFFIX)


def converted_folder(file: Path) -> Path:
    """The folder with the model of a GGUF file; made now, in a minute or so, where it is not there.

    Args:
        file: the GGUF file.

    Raises:
        ModelError: there is no such file, it is no model that transformers can read, what reading
            it needs is not installed, or the disk is too full.
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
        with contextlib.suppress(OSError):  # a cache that only others may write to
            _note_source(folder, file)
        return folder
    _check(file, kept)
    _log.warning("converting %s, once; the result is kept in %s", file.name, folder)
    try:
        kept.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept, prefix="unfinished-") as scratch:
            made = Path(scratch) / folder.name
            _convert(file, made)
            _note_source(made, file)
            made.rename(folder)
    except OSError as error:
        if not (folder / SOURCE_FILE).is_file():  # no other process was faster
            raise ModelError(f"{file.name}: what it becomes cannot be kept: {error}") from error
    return folder


def _made_from(kept: Path, file: Path) -> Path | None:
    """The folder that was made from this very file, by path, size and time; None: none was."""
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
    """Raise a :class:`ModelError` where a conversion would fail late: see what it says."""
    with file.open("rb") as opened:
        if opened.read(4) != b"GGUF":
            raise ModelError(f"{file} is no GGUF file: it does not begin with the letters GGUF.")
    missing = [name for name in ("accelerate", "gguf") if importlib.util.find_spec(name) is None]
    if missing:
        raise ModelError(
            f"{file.name}: reading GGUF files needs {' and '.join(missing)}, which this Python has "
            'not: pip install "econ-env[local]"'
        )
    # The file holds at least 4 bits a weight in most cases; what is kept holds 16.
    needed = 4 * file.stat().st_size
    there = next(folder for folder in (kept, *kept.parents) if folder.is_dir())
    free = shutil.disk_usage(there).free
    if free < needed:
        raise ModelError(
            f"{file.name}: converting it takes up to {needed / 1e9:.1f} GB in {kept}, where "
            f"{free / 1e9:.1f} GB are free. Make room, or let ECON_MODELS name a folder elsewhere."
        )


def _convert(file: Path, folder: Path) -> None:
    """Write the model of ``file`` to ``folder``."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    model: Any
    tokenizer: Any
    try:
        # The bars of transformers would run through this package's own, and fill log files.
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
    except (
        *(OSError, ValueError, KeyError, IndexError, TypeError, AttributeError),
        *(ImportError, RuntimeError, NotImplementedError, struct.error),
    ) as error:
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
    """A text among the settings of a GGUF file; None: it has none of this name."""
    from gguf import GGUFReader

    field = GGUFReader(file).get_field(key)
    return None if field is None else str(field.contents())


def _end_tokens(tokenizer: Any) -> list[int] | None:
    """Ids that end a text: the file's own first."""
    control = {
        token.content: number
        for number, token in tokenizer.added_tokens_decoder.items()
        if token.special
    }
    ends = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
    ends += [control[text] for text in _ENDS if text in control]
    return list(dict.fromkeys(ends)) or None
