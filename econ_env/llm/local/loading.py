"""Loads a causal language model and its tokenizer from a folder, a GGUF file or the hub.

Weights come only from safetensors files and no code of a repository is run, so loading a model
cannot execute anything that came with it. Errors are raised at once, and say what to do.
"""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from econ_env.hub import in_cache, is_hub_id, within_reach
from econ_env.llm.local.gguf_conversion import SUFFIX, converted_folder, is_gguf
from econ_env.llm.local.grammar import Grammars
from econ_env.llm.types import ModelError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from econ_env.llm.local.decode_loop import DecodeLoop

DtypeName = Literal["auto", "float64", "float32", "bfloat16", "float16"]

SMALL = 50_000_000
"""Largest number of parameters of a small model. On a CPU such a model runs on one thread, and its
number format is chosen so that rows of a batch do not affect each other."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LoadedModel:
    """A loaded model. Shared by all :class:`LocalModel` of the process with the same source."""

    source: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    loop: DecodeLoop
    grammars: Grammars
    context_limit: int | None
    small: bool
    """True for a model with at most :data:`SMALL` parameters, on a CPU."""
    block: int | None
    """Positions beyond which all rows of a batch must have one padded width; None: no limit."""
    lock: threading.Lock
    """Held while the model generates: one forward pass at a time."""


_loaded: weakref.WeakValueDictionary[tuple[str, DtypeName, str], LoadedModel] = (
    weakref.WeakValueDictionary()
)
_loading = threading.Lock()


def load_checkpoint(path: str, *, dtype: DtypeName, device: str | None) -> LoadedModel:
    """Load the model of ``path``, or return the one that this process has loaded already.

    Args:
        path: a folder, a GGUF file, or the id of a repository on the hub.
        dtype: number format of the weights. ``"auto"``: for a small model on a CPU, float32 if its
            rows are found not to affect each other, else float64; for any other model the fastest
            format (see :func:`fast_format`).
        device: a torch device; None: ``cuda`` if available, else ``cpu``.

    Raises:
        ModelError: the model does not exist, cannot be reached, or cannot be used.
    """
    folder = _folder(path)
    import torch

    where = device or ("cuda" if torch.cuda.is_available() else "cpu")
    key = (str(folder) if folder else path, dtype, where)
    with _loading:
        checkpoint = _loaded.get(key)
        if checkpoint is None:
            checkpoint = _load(path, folder=folder, dtype=dtype, device=torch.device(where))
            _loaded[key] = checkpoint
        return checkpoint


def _folder(path: str) -> Path | None:
    """Return the folder of ``path``, or of its converted GGUF file; None: it is a hub id."""
    folder = Path(path).expanduser()
    if is_gguf(path) and not folder.is_dir():
        return converted_folder(folder)
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            files = sorted(folder.glob(f"*{SUFFIX}"))
            hint = f", or one of its GGUF files: hf:{files[0]}" if files else ""
            raise ModelError(
                f"The folder {str(folder)!r} holds no config.json, so it is no Hugging Face model. "
                f"Name the folder that model.save_pretrained(...) wrote{hint}."
            )
        return folder.resolve()
    if not is_hub_id(path):
        raise ModelError(
            f"There is no folder {path!r}, and it cannot be the id of a model on the Hugging Face "
            "hub, which looks like 'Qwen/Qwen2.5-0.5B-Instruct'."
        )
    return None


def _load(path: str, *, folder: Path | None, dtype: DtypeName, device: torch.device) -> LoadedModel:
    model: Any  # the methods of a loaded model are wrapped in ways that static types cannot follow
    if folder is not None:
        with _no_progress_bar():
            model, tokenizer = _from_pretrained(str(folder), dtype=dtype, local_files_only=True)
    else:
        model, tokenizer = _from_hub(path, dtype=dtype)
    import torch

    from econ_env.llm.local.batch_invariance import rows_stand_alone
    from econ_env.llm.local.decode_loop import BLOCK, DecodeLoop

    model.to(device=device).eval()
    end_tokens = _end_tokens(model, tokenizer)
    vocabulary = model.config.get_text_config().vocab_size
    loop = DecodeLoop(model, end_tokens=end_tokens, source=path)
    context_limit = _context_limit(model)
    parameters = sum(weight.numel() for weight in model.parameters())
    small = device.type == "cpu" and parameters <= SMALL
    if small and dtype == "auto":
        model.float()
        with torch_threads(1):
            alone = rows_stand_alone(loop, vocabulary=vocabulary, context_limit=context_limit)
        if not alone:
            model.double()
    elif dtype == "auto":
        model.to(dtype=fast_format(device, stored=model.dtype))
    return LoadedModel(
        source=path,
        model=model,
        tokenizer=tokenizer,
        loop=loop,
        grammars=Grammars(tokenizer, vocabulary=vocabulary, end_tokens=end_tokens, source=path),
        context_limit=context_limit,
        small=small,
        block=BLOCK if small and model.dtype == torch.float32 else None,
        lock=threading.Lock(),
    )


def fast_format(device: torch.device, *, stored: torch.dtype) -> torch.dtype:
    """Return the format in which a model that is not small runs fastest on ``device``.

    On a CPU: bfloat16 if the processor multiplies in it, else float32. On other devices:
    ``stored``, the format of the checkpoint, if it has 16 bits, else bfloat16.
    """
    import torch

    if device.type == "cpu":
        return torch.bfloat16 if _multiplies_in_bfloat16() else torch.float32
    return stored if stored in (torch.bfloat16, torch.float16) else torch.bfloat16


def _multiplies_in_bfloat16() -> bool:
    """Return True if the processor computes in bfloat16 (AVX-512 BF16 or AMX) and torch uses it."""
    import torch

    capable: Any = torch.cpu  # some versions of torch have no public name for this
    return torch.backends.mkldnn.is_available() and bool(capable._is_avx512_bf16_supported())


def usable_threads() -> int:
    """Return OMP_NUM_THREADS if it is set, else the number of processors this process may use."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdecimal() and int(asked) > 0:
        return int(asked)
    affinity = getattr(os, "sched_getaffinity", None)  # which not every system has
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


@contextlib.contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Use ``count`` torch threads inside, and restore the number on exit."""
    import torch

    before = torch.get_num_threads()
    if count == before:
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _from_hub(path: str, *, dtype: DtypeName) -> tuple[Any, Any]:
    """Load from the local copy of the hub if it is complete, else over the network."""
    from huggingface_hub import constants

    if in_cache(path):
        try:
            return _from_pretrained(path, dtype=dtype, local_files_only=True)
        except ModelError:
            # The copy is incomplete; the hub may have the rest.
            if not within_reach():
                raise
    elif not within_reach():
        raise ModelError(
            f"The model {path!r} is neither a folder nor among the models downloaded here, and the "
            f"Hugging Face hub ({constants.ENDPOINT}) cannot be reached (or HF_HUB_OFFLINE is "
            f"set). Download it once where there is a network, `hf download {path}`, and "
            'name the folder, hf:/path/to/folder; or use llm="bundled", which needs no network.'
        )
    return _from_pretrained(path, dtype=dtype, local_files_only=False)


@contextlib.contextmanager
def _no_progress_bar() -> Iterator[None]:
    """Hide the bar of transformers, which would interfere with this package's own."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _from_pretrained(
    path: str, *, dtype: DtypeName, local_files_only: bool
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(
            path, local_files_only=local_files_only, trust_remote_code=False
        )
        model = AutoModelForCausalLM.from_pretrained(
            path,
            dtype=dtype,
            local_files_only=local_files_only,
            trust_remote_code=False,
            use_safetensors=True,
        )
    except Exception as error:  # transformers raises anything at the files of others
        raise ModelError(
            f"The model {path!r} cannot be loaded: {error}. It must be a causal language model "
            "that transformers knows by itself, with its tokenizer and its weights as "
            "*.safetensors (other weight files and code in a repository are never read)."
        ) from error
    return model, tokenizer


def _end_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Return the ids that end a text: those of the generation settings and of the tokenizer."""
    ends: set[int] = set()
    generation: Any = model.generation_config  # None where a model cannot generate by itself
    configured = None if generation is None else generation.eos_token_id
    for named in (configured, tokenizer.eos_token_id):
        if isinstance(named, int):
            ends.add(named)
        elif named is not None:
            ends.update(named)
    return frozenset(ends)


def _context_limit(model: PreTrainedModel) -> int | None:
    config = model.config.get_text_config()
    return (
        int(config.max_position_embeddings) if hasattr(config, "max_position_embeddings") else None
    )
