"""Dynamic weights of the reward's components (paper, section 3.5)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

COMPONENTS = ("ts", "al", "cc")
"""Task correctness, action likelihood, collaborative contribution: infos and options use these."""


class RewardWeighting(nn.Module):
    """alpha = (floor, 0, 0) + (1 - floor) softmax(alpha_logits): positive, with sum 1.

    The loss L_dr that moves the logits (:func:`~.losses.reward_weighting_loss`) makes rewards
    *predictable*, and what is easiest to predict is agreement, not truth. Without a floor the
    weight of task correctness can therefore fall to nothing: the team would be paid for agreeing
    on anything. The floor is the weight that correctness never loses.

    Args:
        initial: weights at the start, of ``ts``, ``al`` and ``cc``; they are scaled to sum 1.
        ts_floor: smallest weight of ``ts``, in [0, 1).

    Raises:
        ValueError: a weight is missing, negative or unknown, or ``ts`` starts below its floor.
    """

    def __init__(self, initial: Mapping[str, float], ts_floor: float) -> None:
        super().__init__()
        if (
            set(initial) != set(COMPONENTS)
            or min(initial.values()) < 0
            or not sum(initial.values())
        ):
            raise ValueError(
                f"initial weights need {', '.join(COMPONENTS)}, none negative and not all zero; "
                f"got {dict(initial)}"
            )
        start = torch.tensor([initial[name] for name in COMPONENTS], dtype=torch.float64)
        start = start / start.sum()
        if not 0 <= ts_floor < 1 or float(start[0]) < ts_floor:
            raise ValueError(
                f"the floor of ts must be in [0, 1) and not above its initial weight "
                f"{float(start[0]):.3g}, got {ts_floor}"
            )
        floor = torch.tensor([ts_floor, 0.0, 0.0], dtype=torch.float64)
        # A weight that starts at its floor keeps a trace of itself: the logarithm needs it.
        free = ((start - floor) / (1 - ts_floor)).clamp(min=1e-6)
        self.floor: Tensor
        self.register_buffer("floor", floor.float())
        self.alpha_logits = nn.Parameter(free.log().float())

    def forward(self) -> Tensor:
        """The weights of ``COMPONENTS``, shape (3,)."""
        free = torch.softmax(self.alpha_logits, dim=0)
        return self.floor + (1 - self.floor[0]) * free

    def rewards(self, components: Tensor) -> Tensor:
        """Sum_k alpha_k component_k of ``(..., 3)`` components."""
        weights: Tensor = self()
        return components @ weights

    def as_options(self) -> dict[str, float]:
        """The weights as ``reset(options={"reward_weights": ...})`` takes them."""
        return dict(zip(COMPONENTS, self().tolist(), strict=True))
