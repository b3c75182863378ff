"""Loads a causal language model and its tokenizer from a folder, a GGUF file or the hub.

Weights come from safetensors files only and no code of a repository is run, so loading a model
can execute nothing that came with it. What is wrong is said at once, with what to do about it.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from econ_env.hub import in_cache, is_hub_id, within_reach
from econ_env.llm.local.gguf_conversion import SUFFIX, converted_folder, is_gguf
from econ_env.llm.types import ModelError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from econ_env.llm.local.decode_loop import DecodeLoop

DtypeName = Literal["auto", "float64", "float32", "bfloat16", "float16"]

SMALL = 50_000_000
"""Parameters up to which a model counts as small. On a CPU such a model runs on one thread, and
its number format is chosen so that rows of a batch do not feel each other."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LoadedModel:
    """A loaded model. Shared by all :class:`LocalModel` of the process that name the same one."""

    source: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    loop: DecodeLoop
    context_limit: int | None
    small: bool
    """At most :data:`SMALL` parameters, on a CPU."""
    block: int | None
    """Positions beyond which a batch must hold one padded width only; None: it never must."""
    lock: threading.Lock
    """Held while the model generates: one forward pass at a time."""


_loaded: weakref.WeakValueDictionary[tuple[str, DtypeName, str], LoadedModel] = (
    weakref.WeakValueDictionary()
)
_loading = threading.Lock()


def load_checkpoint(path: str, *, dtype: DtypeName, device: str | None) -> LoadedModel:
    """The model of ``path``, from this process's loaded ones where it is among them.

    Args:
        path: a folder, a GGUF file, or the id of a repository on the hub.
        dtype: number format of the weights. ``"auto"``: for a small model on a CPU float32 where
            rows are found to stand alone in it, else float64; for any other model what is fastest
            there (see :func:`fast_format`).
        device: a torch device; None: ``cuda`` where there is one, else ``cpu``.

    Raises:
        ModelError: there is no such model, it cannot be reached, or it cannot be used.
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
    """The folder that ``path`` names, of a GGUF file the converted one; None: it is a hub id."""
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
    model: Any  # the methods of a loaded model are wrapped in ways that types cannot follow
    if folder is not None:
        with _no_progress_bar():
            model, tokenizer = _from_pretrained(str(folder), dtype=dtype, local_files_only=True)
    else:
        model, tokenizer = _from_hub(path, dtype=dtype)
    import torch

    from econ_env.llm.local.batch_invariance import rows_stand_alone
    from econ_env.llm.local.decode_loop import BLOCK, DecodeLoop

    model.to(device=device).eval()
    loop = DecodeLoop(model, end_tokens=_end_tokens(model, tokenizer), source=path)
    context_limit = _context_limit(model)
    parameters = sum(weight.numel() for weight in model.parameters())
    small = device.type == "cpu" and parameters <= SMALL
    if small and dtype == "auto":
        model.float()
        with torch_threads(1):
            vocabulary = model.config.get_text_config().vocab_size
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
        context_limit=context_limit,
        small=small,
        block=BLOCK if small and model.dtype == torch.float32 else None,
        lock=threading.Lock(),
    )


def fast_format(device: torch.device, *, stored: torch.dtype) -> torch.dtype:
    """The format in which a model that is not small runs fastest on ``device``.

    On a CPU bfloat16 where the processor multiplies in it, else float32. On other devices a
    16-bit format: the one that the checkpoint is ``stored`` in, or bfloat16.
    """
    import torch

    if device.type == "cpu":
        return torch.bfloat16 if _multiplies_in_bfloat16() else torch.float32
    return stored if stored in (torch.bfloat16, torch.float16) else torch.bfloat16


def _multiplies_in_bfloat16() -> bool:
    """Whether this processor has instructions for it (AVX-512 BF16 or AMX), and torch uses them."""
    import torch

    capable: Any = torch.cpu  # what torch knows of a processor has no public name in all versions
    return torch.backends.mkldnn.is_available() and bool(capable._is_avx512_bf16_supported())


@contextlib.contextmanager
def torch_threads(count: int | None) -> Iterator[None]:
    """``count`` torch threads inside, the process's number again outside. None: no change."""
    import torch

    before = torch.get_num_threads()
    if count is None or count == before:
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _from_hub(path: str, *, dtype: DtypeName) -> tuple[Any, Any]:
    """From the local copy of the hub where it is complete, else over the network."""
    from huggingface_hub import constants

    if in_cache(path):
        try:
            return _from_pretrained(path, dtype=dtype, local_files_only=True)
        except ModelError:
            # The copy is not complete; the hub may have the rest.
            if not within_reach():
                raise
    elif not within_reach():
        raise ModelError(
            f"The model {path!r} is no folder and not among the models downloaded here, and the "
            f"Hugging Face hub ({constants.ENDPOINT}) cannot be reached (or HF_HUB_OFFLINE is "
            f"set). Download it once where there is a network, `hf download {path}`, and "
            'name the folder, hf:/path/to/folder; or use llm="bundled", which needs no network.'
        )
    return _from_pretrained(path, dtype=dtype, local_files_only=False)


@contextlib.contextmanager
def _no_progress_bar() -> Iterator[None]:
    """Without the bar of transformers, which would run through this package's own."""
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
    from safetensors import SafetensorError
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
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
        raise ModelError(
            f"The model {path!r} cannot be loaded: {error}. It must be a causal language model "
            "that transformers knows by itself, with its tokenizer and its weights as "
            "*.safetensors (other weight files and code in a repository are never read)."
        ) from error
    return model, tokenizer


def _end_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Ids that end a text: those of the generation settings and the tokenizer's own."""
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
