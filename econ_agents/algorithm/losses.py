"""The losses of the paper's section 3, one function each; the learner adds them up.

Shapes: local values and rewards are ``(n_agents, batch)``, team values and rewards ``(batch,)``.
Each equation is the loss of one decision; each function returns its mean over the batch, a scalar.
Targets carry no gradient.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cosine_similarity


def td_target(rewards: Tensor, discount: Tensor, next_values: Tensor) -> Tensor:
    """TD target r + gamma max_e' Q'(tau', e'), with the target policy's action as the maximum.

    Args:
        rewards: r_i or r_tot.
        discount: gamma, or 0 if the episode ended with the step, ``(batch,)``.
        next_values: Q' of the target networks at the next moment.
    """
    return (rewards + discount * next_values).detach()


def local_td_loss(values: Tensor, targets: Tensor) -> Tensor:
    """Local TD loss Sum_i L_TD^i = Sum_i (r_i + gamma max Q_i' - Q_i)^2  (section 3.2)."""
    return (targets - values).square().sum(dim=0).mean()


def global_td_loss(total: Tensor, targets: Tensor) -> Tensor:
    """Global TD loss L_TD^tot = (r_tot + gamma max Q_tot' - Q_tot)^2  (section 3.4)."""
    return (targets - total).square().mean()


def encoder_loss(global_td: Tensor, local_td: Tensor, lambda_e: float) -> Tensor:
    """Encoder loss L_e(theta_e) = L_TD^tot + lambda_e Sum_i L_TD^i  (section 3.3).

    It moves the encoder alone; the TD losses themselves move everything else.
    """
    return global_td + lambda_e * local_td


def consistency_loss(values: Tensor, total: Tensor) -> Tensor:
    """Consistency loss Sum_i (Q_i - Q_tot)^2  (section 3.4, weighted by lambda_m)."""
    return (values - total).square().sum(dim=0).mean()


def commitment_similarity_loss(features: Tensor, commitments: Tensor) -> Tensor:
    """Similarity loss L_SD = Sum_i (1 - cos(F_i, C))^2  (section 3.4, weighted by lambda_b).

    Args:
        features: F_i projected to the size of C, ``(batch, n_agents, size)``.
        commitments: embeddings C of the commitments, ``(batch, size)``. An all-zero row stands for
            no commitment and is left out of the mean.
    """
    similarity = cosine_similarity(features, commitments.unsqueeze(1), dim=-1)
    committed = (commitments != 0).any(dim=-1).to(features.dtype)
    per_decision = (1 - similarity).square().sum(dim=1)
    return (per_decision * committed).sum() / committed.sum().clamp(min=1)


def policy_loss(total: Tensor) -> Tensor:
    """Policy loss -Q_tot(pi(b)), differentiated through the actions (FACMAC, Peng et al. 2021)."""
    return -total.mean()


def local_policy_loss(values: Tensor) -> Tensor:
    """Local policy loss -Sum_i Q_i(b_i, pi_i(b_i)), differentiated through the actions.

    It follows every executor's own utility. In an equilibrium each executor does what is best for
    itself (section 2.2), and the effect of an executor's action shows in its own reward with less
    noise than in the team's.
    """
    return -values.sum(dim=0).mean()


def action_regulariser(actions: Tensor) -> Tensor:
    """Regulariser Sum_i |e_i|^2: keeps actions off the box's edges, where the sigmoid is flat.

    Args:
        actions: ``(n_agents, batch, action_size)`` in [-1, 1].
    """
    return actions.square().sum(dim=(0, 2)).mean()


def equilibrium_loss(best_deviations: Tensor, total: Tensor) -> Tensor:
    """Equilibrium loss: the gain that the networks expect from the best unilateral deviations.

    Sum_i max(0, max_{e_i'} Q_tot(e_i', e_{-i}) - Q_tot(e)). It is zero in a profile that no
    executor can improve alone: the Nash condition of section 2.2, as the networks see it.

    Args:
        best_deviations: Q_tot at the best deviation found of every executor,
            ``(n_agents, batch)``; no gradient flows through it.
        total: Q_tot(e).
    """
    return (best_deviations.detach() - total).clamp(min=0).sum(dim=0).mean()


def best_response_loss(
    actions: Tensor,
    deviations: Tensor,
    best_deviations: Tensor,
    total: Tensor,
    gain_scale: float,
) -> Tensor:
    """Best response loss: draws every executor towards the best deviation found for it.

    Sum_i g_i / (g_i + gain_scale) |e_i - e_i*|^2 with g_i = max(0, Q_tot(e_i*, e_{-i}) - Q_tot(e)).
    The gradient of Q_tot alone cannot lead from a local optimum to a better one; best responses
    can.

    Args:
        actions: e_i, ``(n_agents, batch, action_size)``; gradient flows through these only.
        deviations: e_i*, the best deviation found of every executor, shaped as ``actions``.
        best_deviations: Q_tot at these deviations, ``(n_agents, batch)``.
        total: Q_tot(e), ``(batch,)``.
        gain_scale: gain, > 0, at which the weight g_i / (g_i + gain_scale) is one half.
    """
    gain = (best_deviations - total).detach().clamp(min=0)
    distance = (actions - deviations.detach()).square().sum(dim=-1)
    return (gain / (gain + gain_scale) * distance).sum(dim=0).mean()


def commitment_improvement_loss(refined: Tensor, before: Tensor) -> Tensor:
    """Loss -(Q_tot after refinement - Q_tot before): refinement has to be worth its tokens."""
    return (before.detach() - refined).mean()


def refinement_rest_loss(
    actions: Tensor, refined: Tensor, before: Tensor, after: Tensor, gain_scale: float
) -> Tensor:
    """Rest loss Sum_i s / (g + s) |e_i' - e_i|^2: refinement stays where it gains nothing.

    g = max(0, Q_tot(e') - Q_tot(e)) is the gain of the refinement, s = ``gain_scale``. Without it,
    refinement would follow any slope for ever; with it, a profile that cannot be improved is a
    fixed point, at which the decision closes.

    Args:
        actions: e_i, ``(n_agents, batch, action_size)``.
        refined: e_i', shaped as ``actions``; gradient flows through these only.
        before: Q_tot(e), ``(batch,)``.
        after: Q_tot(e'), ``(batch,)``.
        gain_scale: gain, > 0, at which the pull is halved.
    """
    gain = (after - before).detach().clamp(min=0)
    moved = (refined - actions.detach()).square().sum(dim=(0, 2))
    return (gain_scale / (gain + gain_scale) * moved).mean()


def reward_weighting_loss(actual: Tensor, expected: Tensor) -> Tensor:
    """Reward weighting loss L_dr = Sum_i (r_actual - r_expected)^2  (section 3.5).

    Args:
        actual: reward of one step, Sum_k alpha_k component_k, with gradient to the weights alpha.
        expected: value of one step, Q_i - gamma Q_i'; no gradient flows through it.
    """
    return (actual - expected.detach()).square().sum(dim=0).mean()
