"""Public data sets that are known by name: their places on the hub and their fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from econ_env.questions.base import QuestionError
from econ_env.questions.fields import Fields


@dataclass(frozen=True, kw_only=True, slots=True)
class Preset:
    """One public data set."""

    name: str
    """Name of the data set in ``dataset=``."""
    hub_id: str
    """Repository on the Hugging Face hub."""
    subset: str | None
    """Configuration of the repository; None if it has only one."""
    splits: Mapping[str, str]
    """Name of each split on the hub, by its name here."""
    fields: Fields
    """The fields of its rows, both on the hub and in copies on this machine."""
    licence: str
    """Licence of the rows."""

    def hub_split(self, split: str) -> str:
        """The hub's name of ``split``.

        Raises:
            QuestionError: the data set has no such split.
        """
        if split not in self.splits:
            raise QuestionError(
                f"{self.name}: unknown split {split!r}; there {_are(tuple(self.splits))}."
            )
        return self.splits[split]


_TRAIN_AND_TEST = {"train": "train", "test": "test"}

GSM8K = Preset(
    name="gsm8k",
    hub_id="openai/gsm8k",
    subset="main",
    splits=_TRAIN_AND_TEST,
    fields=Fields(question=("question",), answer="answer", gold="hashes"),
    licence="MIT",
)
MATH = Preset(
    name="math",
    hub_id="DigitalLearningGmbH/MATH-lighteval",
    subset="default",
    splits=_TRAIN_AND_TEST,
    fields=Fields(question=("problem",), answer="solution", kind="type", gold="boxed"),
    licence="MIT; rights to the problems are disputed, do not redistribute",
)
MATH500 = Preset(
    name="math500",
    hub_id="HuggingFaceH4/MATH-500",
    subset=None,
    splits={"test": "test"},
    fields=Fields(question=("problem",), answer="answer", kind="subject"),
    licence="MIT; rights to the problems are disputed, do not redistribute",
)
SVAMP = Preset(
    name="svamp",
    hub_id="ChilleD/SVAMP",
    subset=None,
    splits=_TRAIN_AND_TEST,
    fields=Fields(question=("Body", "Question"), answer="Answer", kind="Type", gold="number"),
    licence="MIT",
)
GSM_HARD = Preset(
    name="gsm_hard",
    hub_id="reasoning-machines/gsm-hard",
    subset=None,
    # Made from the test questions of GSM8K; the hub calls its only split "train".
    splits={"test": "train"},
    fields=Fields(question=("input",), answer="target", gold="number"),
    licence="Apache-2.0",
)
STRATEGYQA = Preset(
    name="strategyqa",
    hub_id="ChilleD/StrategyQA",
    subset=None,
    splits=_TRAIN_AND_TEST,
    fields=Fields(question=("question",), answer="answer", gold="truth"),
    licence="MIT",
)

PRESETS: Mapping[str, Preset] = {
    preset.name: preset for preset in (GSM8K, MATH, MATH500, SVAMP, GSM_HARD, STRATEGYQA)
}
"""Every preset by its name."""


def _are(splits: tuple[str, ...]) -> str:
    return f"is only {splits[0]!r}" if len(splits) == 1 else f"are {' and '.join(splits)}"
