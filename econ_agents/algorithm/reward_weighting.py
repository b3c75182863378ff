"""Dynamic weights of the reward's components (paper, section 3.5)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

COMPONENTS = ("ts", "al", "cc")
"""Names, in infos and options, of task correctness, action likelihood and contribution."""


class RewardWeighting(nn.Module):
    """Learned weights alpha = (floor, 0, 0) + (1 - floor) softmax(alpha_logits), with sum 1.

    The loss L_dr of the logits (:func:`~.losses.reward_weighting_loss`) makes rewards
    *predictable*, and agreement is easier to predict than truth. Without a floor the weight of task
    correctness can therefore fall to zero, and the team would be paid for agreeing on anything. The
    floor is the least weight of task correctness.

    Args:
        initial: initial weights of ``ts``, ``al`` and ``cc``; they are scaled to sum 1.
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
        # A weight that starts at its floor is kept just above it, since the logarithm needs > 0.
        free = ((start - floor) / (1 - ts_floor)).clamp(min=1e-6)
        self.floor: Tensor
        self.register_buffer("floor", floor.float())
        self.alpha_logits = nn.Parameter(free.log().float())

    def forward(self) -> Tensor:
        """Return the weights of ``COMPONENTS``, shape (3,)."""
        free = torch.softmax(self.alpha_logits, dim=0)
        return self.floor + (1 - self.floor[0]) * free

    def rewards(self, components: Tensor) -> Tensor:
        """Rewards Sum_k alpha_k component_k, shape (...), of components ``(..., 3)``."""
        weights: Tensor = self()
        return components @ weights

    def as_options(self) -> dict[str, float]:
        """The weights by name, as ``reset(options={"reward_weights": ...})`` takes them."""
        return dict(zip(COMPONENTS, self().tolist(), strict=True))
