"""The method of the paper: rollouts, replay buffer, losses, policy and the learner's update."""
