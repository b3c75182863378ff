"""Runs and comparisons over a Ray cluster of two nodes, which loses a worker and a node."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# Before Ray is imported: this process, too, stays on the loopback interface.
os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
ray = pytest.importorskip("ray", reason="needs Ray: pip install 'econ-env[ray]'")

from ray.cluster_utils import Cluster  # noqa: E402

from benchmarks.comparison import output  # noqa: E402
from benchmarks.comparison.command import main as compare  # noqa: E402
from econ_agents.commands.cli import main  # noqa: E402
from econ_agents.config.files import write_config  # noqa: E402
from econ_agents.rollouts.ray_cluster import RayRollouts  # noqa: E402
from econ_agents.training.trainer import Trainer  # noqa: E402
from tests.econ_agents.small_runs import (  # noqa: E402
    assert_same_team,
    numbers,
    small_config,
    train,
)

pytestmark = [
    pytest.mark.slow,  # a cluster of two nodes starts, and is lost
    pytest.mark.timeout(600),
    # Ray leaves pipes of its processes, and uses what Python deprecates.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

MORTAL = "env.factory=tests.econ_agents.rollouts.mortal:mortal"


def free_ports() -> dict[str, int]:
    """Ports of a node's agents. On a busy machine a node would wait for them in vain."""
    names = "metrics_agent metrics_export dashboard_agent_listen runtime_env_agent".split()
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in names]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return {f"{name}_port": port for name, port in zip(names, ports, strict=True)}


@pytest.fixture(scope="module")
def cluster(repository: Path) -> Iterator[Cluster]:
    """Two nodes with two CPUs each, on the loopback interface."""
    with pytest.MonkeyPatch.context() as patch:
        # Of the nodes' processes, and so of their workers: tests are importable there.
        patch.setenv("PYTHONPATH", f"{repository}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
        node = {
            "num_cpus": 2,
            "object_store_memory": 80_000_000,
            "node_ip_address": "127.0.0.1",
            "include_log_monitor": False,
        }
        quick = {"health_check_period_ms": 500, "health_check_failure_threshold": 2}
        made = Cluster(
            initialize_head=True,
            head_node_args={
                **node,
                **free_ports(),
                "include_dashboard": False,
                "_system_config": quick,
            },
        )
        made.add_node(**node, **free_ports())
        made.wait_for_nodes()
        yield made
        ray.shutdown()
        made.shutdown()


def test_a_run_that_loses_a_worker_and_a_node_ends_as_if_played_in_this_process(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = (
        "memory.scope=stream reward.dynamic=true train.eval_interval=20 train.eval_episodes=13"
    ).split()
    whole = train(tmp_path / "whole", *settings)
    opened: list[RayRollouts] = []
    learn = Trainer.learn

    def learned(self: Trainer, played: Any) -> Any:
        # No episode comes twice or is missing.
        assert [one.number for one in played] == list(range(self.episodes, self.episodes + 10))
        assert isinstance(self.rollouts, RayRollouts)
        opened.append(self.rollouts)
        if self.episodes == 20:
            (other,) = [node for node in cluster.list_all_nodes() if not node.is_head()]
            cluster.remove_node(other, allow_graceful=False)
        return learn(self, played)

    monkeypatch.setattr(Trainer, "learn", learned)
    config = small_config(*settings, MORTAL, f"env.train_kwargs.grave={tmp_path / 'grave'}")
    write_config(config, tmp_path / "team.yaml")
    flags = ["--config", str(tmp_path / "team.yaml"), "--log-dir", str(tmp_path / "ray")]
    flags += ["--rollout", "ray", "--ray-address", cluster.address, "--rollout-workers", "4"]
    assert main(["train", *flags]) == 0
    assert (tmp_path / "grave").exists()
    # One died at play, and two or more were on the node.
    assert opened[-1].lost >= 3
    assert numbers(tmp_path / "ray") == numbers(whole)
    assert_same_team(tmp_path / "ray", whole)


def test_a_tests_report_and_records_are_those_of_this_process(
    cluster: Cluster, tmp_path: Path
) -> None:
    run = train(tmp_path / "run")
    reports = []
    for name, flags in (("here", []), ("ray", ["--rollout", "ray"])):
        out = tmp_path / name
        flags += ["--model-dir", str(run), "--log-dir", str(out), "--episodes", "9"]
        assert main(["test", *flags, "--test.streams", "4"]) == 0
        reports.append({path.name: path.read_bytes() for path in sorted(out.iterdir())})
    assert reports[0] == reports[1]


@pytest.fixture
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    # They take longer than everything else.
    monkeypatch.setattr(output, "draw", lambda comparison, folder: [])


@pytest.mark.usefixtures("_no_pictures")
def test_a_comparisons_records_are_those_of_this_process(cluster: Cluster, tmp_path: Path) -> None:
    run = train(tmp_path / "run")
    flags = "--questions 7 --in-flight 5 --methods self_consistency:k=2 econ:rounds=2".split()
    flags += ["--dataset", "simulated", "--llm", "simulated", "--model-dir", str(run)]
    found = []
    for name, where in (("here", []), ("ray", ["--rollout", "ray", "--rollout-workers", "3"])):
        assert compare([*flags, *where, "--log-dir", str(tmp_path / name)]) == 0
        lines = (tmp_path / name / "records.jsonl").read_text().splitlines()
        found.append([{**json.loads(line), "wall_s": None} for line in lines])
    assert found[0] == found[1]
    assert len(found[0]) == 2 * 7


def test_what_a_worker_cannot_play_is_said_in_the_environments_words(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = ["--set", "env.kwargs.max_requests=5", "train.episodes=20"]
    flags = ["--rollout", "ray", "--rollout-workers", "1", "--log-dir", str(tmp_path / "run")]
    assert main(["train", "--config", "simulated", *short, *flags]) != 0
    said = capsys.readouterr().err
    assert "max_requests" in said
    assert "Traceback" not in said
