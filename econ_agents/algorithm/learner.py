"""One update: the losses of the paper on a batch of decisions, and a gradient step on them."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from econ_agents.algorithm import losses
from econ_agents.algorithm.q_deviations import best_deviations
from econ_agents.algorithm.replay_buffer import Batch, Window
from econ_agents.algorithm.reward_weighting import RewardWeighting
from econ_agents.algorithm.target_pace import target_pace
from econ_agents.config.schema import Config
from econ_agents.errors import EconAgentsError
from econ_agents.networks import Mixed, TeamNetworks
from econ_agents.seeds import derive_seed, torch_generator


class NonFiniteLoss(EconAgentsError):
    """A loss is NaN or infinite; the error keeps the batch it was computed from.

    Args:
        name: name of the loss.
        batch: the batch, for inspection.
        values: values of all losses, by name.
    """

    exit_code = 1

    def __init__(self, name: str, batch: Batch, values: Mapping[str, float]) -> None:
        super().__init__(f"the loss {name!r} is {values[name]}")
        self.name = name
        self.batch = batch
        self.values = dict(values)


class Learner:
    """The networks, their slowly updated target networks, and the optimisers.

    Args:
        networks: networks of the team.
        weighting: weights of the reward's components.
        config: the configuration; its keys ``losses.*``, ``train.*``, ``update_interval``,
            ``target_update_*``, ``bne.update_rate``, ``reward.*`` and ``seed`` are used.
        commitment: columns of an observation that hold the commitment's embedding, for L_SD. None
            if the environment does not name them: the loss is then off.
        seen: columns of an observation that refinement reads.
    """

    def __init__(
        self,
        networks: TeamNetworks,
        weighting: RewardWeighting,
        config: Config,
        *,
        commitment: slice | None,
        seen: Tensor,
    ) -> None:
        self.networks = networks.eval()
        self.weighting = weighting
        self.config = config
        self.targets = copy.deepcopy(networks).requires_grad_(False)
        self.updates = 0
        self._target_pace = target_pace(config)
        self._commitment = commitment
        self._seen = seen
        beliefs = list(networks.beliefs.parameters())
        others = [*networks.encoder.parameters(), *networks.mixer.parameters()]
        others += list(networks.refine.parameters())
        # The paper has two learning rates: the executors' networks, and the networks above them.
        self.optimiser = torch.optim.Adam(
            [
                {"params": beliefs, "lr": config.train.learning_rate},
                {"params": others, "lr": config.train.mixer_learning_rate},
            ],
            fused=True,
        )
        self.alpha_optimiser = torch.optim.SGD(weighting.parameters(), lr=config.reward.eta_alpha)

    def set_pace(self, share: float) -> None:
        """Set the learning rates of the networks to a share, in (0, 1], of the configured ones."""
        train = self.config.train
        rates = (train.learning_rate, train.mixer_learning_rate)
        for group, rate in zip(self.optimiser.param_groups, rates, strict=True):
            group["lr"] = share * rate

    def update(self, batch: Batch) -> dict[str, float]:
        """Take one step of gradient descent and return every loss by its name.

        Raises:
            NonFiniteLoss: a loss or the gradient's norm is not finite; no parameter was changed.
        """
        config = self.config
        beliefs, one_step_values, found = self._value_losses(batch)
        found |= self._policy_losses(batch, beliefs)
        weights = {name: getattr(config.losses, name) for name in found}
        counted = {name: weights[name] * loss for name, loss in found.items() if weights[name]}
        # If every loss is off, backward() still needs a graph: this one has a zero gradient.
        nothing = 0 * beliefs.sum()
        total = torch.stack([nothing, *counted.values()]).sum()
        reported = {**found, "total": total}
        weighting = self._weighting_loss(batch, one_step_values)
        if weighting is not None:
            reported["reward_weighting"] = weighting
        report = {name: float(value.detach()) for name, value in reported.items()}
        for name, value in report.items():
            if not torch.isfinite(torch.tensor(value)):
                raise NonFiniteLoss(name, batch, report)
        self.optimiser.zero_grad(set_to_none=True)
        of_encoder = counted.pop("encoder", nothing)
        self._backward(torch.stack([nothing, *counted.values()]).sum(), of_encoder)
        parameters = [p for p in self.networks.parameters() if p.grad is not None]
        norm = nn.utils.clip_grad_norm_(parameters, config.train.gradient_clip)
        report["gradient_norm"] = float(norm)
        if not torch.isfinite(norm):
            raise NonFiniteLoss("gradient_norm", batch, report)
        self.optimiser.step()
        if weighting is not None:
            self.alpha_optimiser.zero_grad(set_to_none=True)
            weighting.backward()
            self.alpha_optimiser.step()
        self.updates += 1
        if self.updates % self._target_pace.interval == 0:
            follow(self.targets, self.networks, self._target_pace.tau)
        return report

    def _backward(self, others: Tensor, of_encoder: Tensor) -> None:
        """Compute all gradients: theta_e has that of L_e, everything else that of the other losses.

        L_e holds the TD losses, so that a sum of all losses would count these twice.
        """
        encoder = list(self.networks.encoder.parameters())
        gradients = torch.autograd.grad(of_encoder, encoder, retain_graph=True, allow_unused=True)
        others.backward()
        for parameter, gradient in zip(encoder, gradients, strict=True):
            parameter.grad = gradient

    def _value_losses(self, batch: Batch) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Return the beliefs, the values of one step, and the losses of the value networks.

        The value of one step is Q_i - gamma Q_i': what Q_i expects the step itself to pay.
        """
        networks = self.networks
        # Dropout draws from torch's global generator: seed it here, and restore it afterwards.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(self.config.seed, "dropout", self.updates))
            networks.train()
            beliefs = networks.beliefs(batch.now.moments, batch.now.known)
            team = networks.encoder(beliefs)
            values = networks.beliefs.values(beliefs, batch.actions)
            mixed: Mixed = networks.mixer(values, batch.actions, team, batch.states)
            networks.eval()
        rewards, team_rewards = self._live_rewards(batch)
        next_values, next_total = self._next_values(batch)
        discount = self.config.train.gamma * (1 - batch.terminal)
        local_targets = losses.td_target(rewards, discount, next_values)
        global_targets = losses.td_target(team_rewards, discount, next_total)
        lambda_e = self.config.losses.lambda_e
        local_td = losses.local_td_loss(values, local_targets)
        global_td = losses.global_td_loss(mixed.total, global_targets)
        found = {
            "local_td": local_td,
            "global_td": global_td,
            "consistency": losses.consistency_loss(values, mixed.total),
            "commitment_similarity": self._commitment_similarity(mixed.features, batch.then),
            "encoder": losses.encoder_loss(global_td, local_td, lambda_e),
        }
        return beliefs, (values - discount * next_values).detach(), found

    def _policy_losses(self, batch: Batch, beliefs: Tensor) -> dict[str, Tensor]:
        """Losses of the policies and of refinement, judged by value networks that stay frozen."""
        networks = self.networks
        with frozen(networks.beliefs.value_head, networks.encoder, networks.mixer):
            fixed = beliefs.detach()
            team = networks.encoder(fixed)
            actions = networks.beliefs.actions(beliefs)
            own_values = networks.beliefs.values(fixed, actions)
            chosen = networks.mixer(own_values, actions, team, batch.states).total
            generator = torch_generator(self.config.seed, "deviations", self.updates)
            shape = (self.config.train.deviation_candidates, *actions.shape)
            candidates = 2 * torch.rand(shape, generator=generator).to(actions.device) - 1
            best, deviations = best_deviations(
                networks, fixed, actions.detach(), team, batch.states, candidates
            )
            return {
                "policy": losses.policy_loss(chosen),
                "local_policy": losses.local_policy_loss(own_values),
                "action_regulariser": losses.action_regulariser(actions),
                "equilibrium": losses.equilibrium_loss(best, chosen),
                "best_response": losses.best_response_loss(
                    actions, deviations, best, chosen, self.config.train.deviation_gain_scale
                ),
                **self._refinement_losses(batch, fixed, team),
            }

    def _live_rewards(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Rewards of the executors and of the team, by the weights alpha as they are now.

        Episodes of a buffer were paid by the weights of their time.
        """
        if not self.config.reward.dynamic or batch.components is None:
            return batch.rewards, batch.team_rewards
        rewards = self.weighting.rewards(batch.components).detach()
        if batch.team_components is None:
            return rewards, batch.team_rewards
        return rewards, self.weighting.rewards(batch.team_components).detach()

    def _next_values(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """All Q_i and Q_tot of the target networks after the step.

        A new decision begins with the target policy's action. In a later round of the same decision
        it is not the policy that acts, so the executed action is taken.
        """
        with torch.no_grad():
            beliefs = self.targets.beliefs(batch.then.moments, batch.then.known)
            actions = torch.where(
                batch.same_decision[None, :, None] > 0,
                batch.next_actions,
                self.targets.beliefs.actions(beliefs),
            )
            values = self.targets.beliefs.values(beliefs, actions)
            team = self.targets.encoder(beliefs)
            total: Tensor = self.targets.mixer(values, actions, team, batch.next_states).total
        return values, total

    def _commitment_similarity(self, features: Tensor, then: Window) -> Tensor:
        project = self.networks.mixer.project
        if project is None or self._commitment is None:
            return features.new_zeros(())
        # All agents observe the same commitment, so agent 0's columns serve for the batch.
        commitments = then.moments[0, :, -1, self._commitment]
        return losses.commitment_similarity_loss(project(features), commitments)

    def _refinement_losses(self, batch: Batch, beliefs: Tensor, team: Tensor) -> dict[str, Tensor]:
        """Losses of refinement: its gain in Q_tot over the actions that were played, and its rest.

        Refinement reads the moment after the step. Q_tot before and after it is computed from the
        beliefs before the step.
        """
        networks = self.networks
        seen = batch.then.moments[:, :, -1, self._seen]
        with torch.no_grad():
            after = networks.beliefs(batch.then.moments, batch.then.known)
            after_team = networks.encoder(after)
            before = networks.mix(beliefs, batch.actions, team, batch.states).total
        rate = self.config.bne.update_rate
        refined = networks.refine(after, seen, after_team, batch.actions, rate)
        total = networks.mix(beliefs, refined, team, batch.states).total
        scale = self.config.train.deviation_gain_scale
        return {
            "commitment_improvement": losses.commitment_improvement_loss(total, before),
            "refinement_rest": losses.refinement_rest_loss(
                batch.actions, refined, before, total, scale
            ),
        }

    def _weighting_loss(self, batch: Batch, one_step_values: Tensor) -> Tensor | None:
        """Loss L_dr of the reward weights; None if alpha is not learned.

        Its step size is eta_alpha.
        """
        if not self.config.reward.dynamic or batch.components is None:
            return None
        rewards = self.weighting.rewards(batch.components)
        return losses.reward_weighting_loss(rewards, one_step_values)


@contextmanager
def frozen(*modules: nn.Module) -> Iterator[None]:
    """Keep the parameters of these modules out of the gradient while the context is open."""
    parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)


def follow(targets: nn.Module, networks: nn.Module, tau: float) -> None:
    """Move the target networks towards the networks: phi' <- tau phi + (1 - tau) phi'."""
    with torch.no_grad():
        sources = [parameter.detach() for parameter in networks.parameters()]
        torch._foreach_lerp_(list(targets.parameters()), sources, tau)
