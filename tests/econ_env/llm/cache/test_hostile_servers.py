"""A hostile server never poisons a recording: it replays, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from econ_env.llm.cache.recording_model import RecordingModel, ReplayMiss
from econ_env.llm.cache.store import CompletionStore
from tests.econ_env.llm.api.support import model_on, request
from tests.misbehaving_faults import QUIRKS, REFUSED, RETRIED
from tests.misbehaving_server import MisbehavingServer

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("fault", sorted({*QUIRKS, *RETRIED, *REFUSED} - {"stall", "drip"}))
def test_every_answer_under_a_fault_replays_or_was_not_kept(fault: str, tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    with MisbehavingServer(answer=lambda ask: "word " * 9_000) as server:
        model = model_on(server, read_timeout_s=1.0)
        server.schedule(fault)
        recorded = RecordingModel(model, CompletionStore(path), "read_write")
        [completion] = recorded.generate([request()])
        recorded.close()
    assert (completion.error is not None) == (fault in REFUSED)
    replayed = RecordingModel(model, CompletionStore(path, read_only=True), "replay")
    if completion.error is None:
        assert replayed.generate([request()]) == [completion]
    else:
        with pytest.raises(ReplayMiss):
            replayed.generate([request()])
    replayed.close()
