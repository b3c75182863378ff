"""Writes a bundled checkpoint as a GGUF file, the format of llama.cpp, for tests of its servers.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, version 3.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
NORMAL, CONTROL, USER_DEFINED = 1, 3, 4  # kinds of tokens
F32 = 0  # kind of tensors
ALIGNMENT = 32

Value: TypeAlias = bool | int | float | str | Sequence[str] | Sequence[int]


def write_gguf(checkpoint: Path, file: Path) -> None:
    """Write the Llama checkpoint in the folder ``checkpoint`` to ``file``, in float32."""
    config = json.loads((checkpoint / "config.json").read_text())
    tensors = dict(_tensors(checkpoint, config))
    keys = {**_architecture(config), **_tokenizer(checkpoint, config)}
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys))
    head += b"".join(_text(key) + _tagged(value) for key, value in keys.items())
    offset = 0
    for name, tensor in tensors.items():
        shape = tensor.shape[::-1]  # the fastest dimension comes first
        head += _text(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
        head += struct.pack("<IQ", F32, offset)
        offset += _padded(tensor.nbytes)
    with file.open("wb") as out:
        out.write(head.ljust(_padded(len(head)), b"\0"))
        for tensor in tensors.values():
            out.write(tensor.tobytes().ljust(_padded(tensor.nbytes), b"\0"))


def _architecture(config: dict[str, Any]) -> dict[str, Value]:
    return {
        "general.architecture": "llama",
        "general.name": "bundled",
        "llama.context_length": config["max_position_embeddings"],
        "llama.embedding_length": config["hidden_size"],
        "llama.block_count": config["num_hidden_layers"],
        "llama.feed_forward_length": config["intermediate_size"],
        "llama.attention.head_count": config["num_attention_heads"],
        "llama.attention.head_count_kv": config["num_key_value_heads"],
        "llama.attention.layer_norm_rms_epsilon": float(config["rms_norm_eps"]),
        "llama.rope.dimension_count": config["head_dim"],
        "llama.rope.freq_base": float(config["rope_parameters"]["rope_theta"]),
        "llama.vocab_size": config["vocab_size"],
    }


def _tokenizer(checkpoint: Path, config: dict[str, Any]) -> dict[str, Value]:
    saved = json.loads((checkpoint / "tokenizer.json").read_text())
    template = json.loads((checkpoint / "tokenizer_config.json").read_text())["chat_template"]
    tokens = [""] * config["vocab_size"]
    kinds = [NORMAL] * config["vocab_size"]
    for text, number in saved["model"]["vocab"].items():
        tokens[number] = text
    for token in saved["added_tokens"]:
        tokens[token["id"]] = token["content"]
        kinds[token["id"]] = CONTROL if token["special"] else USER_DEFINED
    return {
        "tokenizer.ggml.model": "gpt2",
        # This splits words from numbers, as our tokenizer does. Ours also splits digits from each
        # other, but as no merge joins two digits, they come out one by one here as well.
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": kinds,
        "tokenizer.ggml.merges": [" ".join(pair) for pair in saved["model"]["merges"]],
        "tokenizer.ggml.eos_token_id": config["eos_token_id"],
        "tokenizer.ggml.padding_token_id": config["pad_token_id"],
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.chat_template": template,
    }


def _tensors(checkpoint: Path, config: dict[str, Any]) -> Iterator[tuple[str, NDArray[np.float32]]]:
    weights = load_file(checkpoint / "model.safetensors")
    names = {
        "model.embed_tokens.weight": "token_embd.weight",
        "model.norm.weight": "output_norm.weight",
    }
    for layer in range(config["num_hidden_layers"]):
        for ours, theirs in {
            "input_layernorm": "attn_norm",
            "self_attn.q_proj": "attn_q",
            "self_attn.k_proj": "attn_k",
            "self_attn.v_proj": "attn_v",
            "self_attn.o_proj": "attn_output",
            "post_attention_layernorm": "ffn_norm",
            "mlp.gate_proj": "ffn_gate",
            "mlp.up_proj": "ffn_up",
            "mlp.down_proj": "ffn_down",
        }.items():
            names[f"model.layers.{layer}.{ours}.weight"] = f"blk.{layer}.{theirs}.weight"
    if set(weights) - {"lm_head.weight"} != set(names):  # lm_head is tied to the embedding
        raise ValueError(f"unexpected weights: {sorted(set(weights) ^ set(names))}")
    for ours, theirs in names.items():
        tensor = weights[ours].astype(np.float32)
        if theirs.endswith(("attn_q.weight", "attn_k.weight")):
            heads = "num_attention_heads" if "attn_q" in theirs else "num_key_value_heads"
            tensor = _interleaved(tensor, heads=config[heads])
        yield theirs, tensor


def _interleaved(weight: NDArray[np.float32], *, heads: int) -> NDArray[np.float32]:
    """Rows in the order of llama.cpp: it rotates neighbours where transformers rotates halves."""
    split = weight.reshape(heads, 2, weight.shape[0] // heads // 2, weight.shape[1])
    return np.ascontiguousarray(split.swapaxes(1, 2).reshape(weight.shape))


def _padded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _text(value: str) -> bytes:
    encoded = value.encode()
    return struct.pack("<Q", len(encoded)) + encoded


def _tagged(value: Value) -> bytes:
    """A value behind the number of its type."""
    if isinstance(value, bool):
        return struct.pack("<I?", BOOL, value)
    if isinstance(value, int):
        return struct.pack("<II", UINT32, value)
    if isinstance(value, float):
        return struct.pack("<If", FLOAT32, value)
    if isinstance(value, str):
        return struct.pack("<I", STRING) + _text(value)
    kind = STRING if isinstance(value[0], str) else INT32  # no list here is empty
    items = [_text(v) if isinstance(v, str) else struct.pack("<i", v) for v in value]
    return struct.pack("<IIQ", ARRAY, kind, len(value)) + b"".join(items)
