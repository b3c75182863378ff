"""BenchMARL: MAPPO, QMIX or another of its algorithms, on one batch of 32 questions."""

import sys
import tempfile

from benchmarl.algorithms import algorithm_config_registry
from benchmarl.experiment import Experiment, ExperimentConfig
from benchmarl.models.mlp import MlpConfig
from score import report_policy

from econ_env.integrations.benchmarl import EconTask

name = sys.argv[1] if sys.argv[1:] else "MAPPO"
task = EconTask("simulated", {"dataset": "simulated", "llm": "simulated", "split": "train"})
config = ExperimentConfig.get_from_yaml()
config.max_n_frames, config.lr, config.loggers, config.render = 5120, 1e-3, [], False
config.evaluation, config.create_json, config.save_folder = False, False, tempfile.mkdtemp()
config.on_policy_collected_frames_per_batch = config.off_policy_collected_frames_per_batch = 512
config.on_policy_n_envs_per_worker = config.off_policy_n_envs_per_worker = 32
config.on_policy_n_minibatch_iters, config.on_policy_minibatch_size = 10, 128
config.off_policy_n_optimizer_steps, config.off_policy_train_batch_size = 60, 128
config.exploration_anneal_frames, config.off_policy_memory_size = 4000, 5120
experiment = Experiment(
    task=task,
    algorithm_config=algorithm_config_registry[name.lower()].get_from_yaml(),
    model_config=MlpConfig.get_from_yaml(),
    critic_model_config=MlpConfig.get_from_yaml(),
    seed=0,
    config=config,
)
experiment.run()

continuous = experiment.continuous_actions
report_policy(experiment.policy, bins=None if continuous else 5)
