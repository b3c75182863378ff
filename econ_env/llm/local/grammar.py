"""Constrained decoding of local models: which tokens keep a completion within a JSON schema.

llguidance, the library behind llama.cpp's and vLLM's own option for it, walks the schema token by
token; this module asks it before each draw which tokens may follow. An object is written on one
line, with a blank behind every comma and colon, so that a model cannot spend its tokens on blanks.

A text that reaches its token limit still ends in the middle of the object.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from econ_env.errors import EconError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_log = logging.getLogger(__name__)

_LAYOUT: Any = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}


class GrammarError(EconError):
    """A schema that is no JSON, or uses what cannot be enforced."""

    exit_code = 1


class Constraint:
    """The state of one text: what has been written, and what may follow.

    Args:
        matcher: a matcher of llguidance, which this object owns.
        vocabulary: number of logits of the model.
    """

    def __init__(self, matcher: Any, vocabulary: int) -> None:
        from llguidance.numpy import allocate_token_bitmask

        self._matcher = matcher
        self._vocabulary = vocabulary
        self._bits = allocate_token_bitmask(1, vocabulary)

    def allowed(self) -> NDArray[np.bool_]:
        """Return True for each token that may follow, shape (vocabulary,); at least one is."""
        from llguidance.numpy import fill_next_token_bitmask

        fill_next_token_bitmask(self._matcher, self._bits, 0)
        bits = np.unpackbits(self._bits[0].view(np.uint8), bitorder="little")
        return bits[: self._vocabulary].astype(np.bool_)

    def accept(self, token: int) -> None:
        """Go on behind ``token``, which was allowed."""
        self._matcher.consume_token(token)


class Grammar:
    """A compiled schema, from which any number of texts can start."""

    def __init__(self, matcher: Any, vocabulary: int) -> None:
        self._matcher = matcher
        self._vocabulary = vocabulary

    def start(self) -> Constraint:
        """Return the constraint of a text that is still empty."""
        return Constraint(self._matcher.deep_copy(), self._vocabulary)


class Grammars:
    """The grammars of one model.

    Args:
        tokenizer: the model's tokenizer. Its vocabulary is analysed at the first schema, which
            takes some seconds for a large one.
        vocabulary: number of logits of the model.
        end_tokens: ids that end a text.
        source: the model's name, for messages.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        *,
        vocabulary: int,
        end_tokens: Collection[int],
        source: str,
    ) -> None:
        self._tokenizer = tokenizer
        self._vocabulary = vocabulary
        self._end_tokens = sorted(end_tokens)
        self._source = source
        self._compiled: dict[str, Grammar] = {}

    def of(self, schema: str) -> Grammar | None:
        """Return the grammar of a JSON schema, given as JSON text.

        None: the tokenizer is one whose tokens cannot be mapped to bytes; a warning has said so.

        Raises:
            GrammarError: the schema cannot be enforced.
        """
        if self._tokens is None:
            return None
        if schema not in self._compiled:
            self._compiled[schema] = Grammar(self._matcher(schema), self._vocabulary)
        return self._compiled[schema]

    def _matcher(self, schema: str) -> Any:
        from llguidance import LLMatcher

        try:
            text = LLMatcher.grammar_from_json_schema(schema, defaults=_LAYOUT)
        except ValueError as error:
            raise GrammarError(f"the JSON schema is no JSON: {error}") from error
        matcher = LLMatcher(self._tokens, text, log_level=0)
        if matcher.is_error():
            raise GrammarError(f"the JSON schema cannot be enforced: {matcher.get_error()}")
        return matcher

    @functools.cached_property
    def _tokens(self) -> Any:
        from llguidance.hf import from_tokenizer

        tokenizer: Any = self._tokenizer  # one that is not fast is refused with a ValueError
        try:
            return from_tokenizer(tokenizer, n_vocab=self._vocabulary, eos_token=self._end_tokens)
        except ValueError as error:
            _log.warning(
                "%s: JSON cannot be enforced with its tokenizer (%s); only the prompt asks for it",
                self._source,
                error,
            )
            return None
