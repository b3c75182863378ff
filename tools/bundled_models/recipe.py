"""Recipes of the bundled models: shape, tokenizer, seed and length of training of each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONTEXT_LIMIT = 1024
BUNDLED = Path(__file__).parents[2] / "econ_env" / "llm" / "bundled"
"""Folder of the package that ships the weights and the model card."""
WEIGHTS = BUNDLED / "weights"


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """Recipe of one bundled model. Models of different recipes make different mistakes."""

    number: int
    hidden_size: int
    layers: int
    heads: int
    key_value_heads: int
    feed_forward_size: int
    join_space_to_digit: bool
    """Tokenisation of numbers; see :func:`~tools.bundled_models.tokenizer.train_tokenizer`."""
    calculation_examples: int = 60_000
    """Examples in stage 1: bare calculations."""
    solve_examples: int = 80_000
    """Examples in stage 2: worked solutions of problems of all kinds."""
    sampled_questions: int = 4_000
    """Questions that the solver answers between stages 2 and 3, for stage 3 to judge."""
    team_examples: int = 40_000
    """Examples in stage 3: all three roles."""
    vocabulary_size: int = 768
    learning_rate: float = 4e-3
    """Peak learning rate of stages 1 and 2; it falls to a fiftieth within each stage."""
    team_learning_rate: float = 2.5e-3
    """Peak learning rate of stage 3; it falls to a fiftieth."""

    @property
    def seed(self) -> int:
        """Seed of the initial weights, the data and their order."""
        return 1000 + self.number

    def config(self, vocabulary_size: int, end_token: int) -> Any:
        """Make the ``transformers.LlamaConfig`` of this model."""
        from transformers import LlamaConfig

        return LlamaConfig(
            vocab_size=vocabulary_size,
            hidden_size=self.hidden_size,
            intermediate_size=self.feed_forward_size,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            num_key_value_heads=self.key_value_heads,
            max_position_embeddings=CONTEXT_LIMIT,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=end_token,
            pad_token_id=end_token,
        )


RECIPES = (
    Recipe(
        number=0,
        hidden_size=192,
        layers=4,
        heads=6,
        key_value_heads=6,
        feed_forward_size=512,
        join_space_to_digit=True,
    ),
    Recipe(
        number=1,
        hidden_size=160,
        layers=6,
        heads=5,
        key_value_heads=5,
        feed_forward_size=416,
        join_space_to_digit=True,
    ),
    Recipe(
        number=2,
        hidden_size=192,
        layers=4,
        heads=6,
        key_value_heads=6,
        feed_forward_size=512,
        join_space_to_digit=False,
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class CoordinatorRecipe:
    """Recipe of the coordinator: a finished model, trained further for its two roles only."""

    start: int = 1
    """Number of the model to start from: the best solver, and the deepest."""
    seed: int = 1003
    sampled_questions: int = 6_144
    """Questions that the three models answer, for the coordinator to judge."""
    examples: int = 72_000
    strategy_share: float = 0.7
    """Share of plans among the examples. Plans are five times shorter than commitments."""
    learning_rate: float = 2e-3
    """Peak learning rate; it falls to a fiftieth."""


COORDINATOR = CoordinatorRecipe()
