"""Servers, texts, budgets and kills together: nothing lost, wrong, hung or left behind."""

from __future__ import annotations

import pytest

from tests.soak import BATCH, Report, budgets, hostile_texts, kills


@pytest.mark.exhaustive
@pytest.mark.slow
def test_hostile_texts_budgets_and_kills_lose_nothing_and_score_nothing_wrongly() -> None:
    report = Report()
    hostile_texts(report, BATCH, seed=1)
    budgets(report, 1, seed=1)
    kills(report, BATCH, times=1, seed=1)
    assert report.is_clean, report
    assert report.finished > BATCH
    assert (report.budgets, report.kills) == (1, 1)
