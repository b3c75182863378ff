"""The tokenizer of the bundled models: byte-level BPE, single digits, a literal chat template."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from econ_env.llm.types import Message

USER, ASSISTANT, END = "<|user|>", "<|assistant|>", "<|end|>"

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}<|assistant|>{{ message['content'] }}<|end|>"
    "{% else %}<|user|>{{ message['content'] }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
"""Chat template, with literal markers: llama.cpp leaves tokenizer variables empty."""


FORMS = (
    " ; \\boxed{",
    '{"reason": "',
    '", "value": "',
    '", "confidence": ',
    ', "checklist": {"agree": ',
    ', "arithmetic": ',
    ', "units": ',
)
"""Texts that replies repeat. As single tokens they make replies a third shorter."""


def train_tokenizer(
    texts: Iterable[str], *, vocabulary_size: int, context_limit: int, join_space_to_digit: bool
) -> Any:
    """Train a tokenizer that can encode any text (bytes are the fallback).

    Digits are never merged with each other: a number is read and written digit by digit.

    Args:
        texts: texts from which the merges are learned.
        vocabulary_size: largest number of tokens; there are fewer if the texts repeat themselves.
        context_limit: largest number of tokens of prompt and reply together.
        join_space_to_digit: True to join the space before a number to its first digit, which makes
            numbers shorter and marks where they begin.

    Returns:
        A ``transformers.PreTrainedTokenizerFast`` with the chat template.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    digit = Regex(" ?[0-9]" if join_space_to_digit else "[0-9]")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(digit, behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=vocabulary_size,
            special_tokens=[END, USER, ASSISTANT],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    tokenizer.add_tokens([AddedToken(form, normalized=False) for form in FORMS])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=END,
        additional_special_tokens=[USER, ASSISTANT],
        chat_template=CHAT_TEMPLATE,
        model_max_length=context_limit,
        clean_up_tokenization_spaces=False,
        padding_side="left",
    )


def render_prompt(messages: Sequence[Message]) -> str:
    """Render a prompt of user messages as ``CHAT_TEMPLATE`` does, without its cost."""
    return "".join(USER + message.content for message in messages) + ASSISTANT


def save_tokenizer(tokenizer: Any, folder: Path) -> None:
    """Write ``tokenizer.json``, and ``tokenizer_config.json`` with the chat template in it."""
    tokenizer.save_pretrained(folder, save_jinja_files=False)
