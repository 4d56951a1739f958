"""What no single notebook says: agreement with scikit-learn on anything, and judging that cannot be gamed."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from edupulse.evaluation.assess import Question, assess
from edupulse.evaluation.calibration import share_interval
from edupulse.evaluation.metrics import (
    Ranking,
    Resampling,
    auroc,
    average_precision,
    seats,
    weekly_capacity,
)
from edupulse.evaluation.rivals import RIVALS, training_rows
from edupulse.evaluation.rules import rule_flags, rule_score

ROWS = st.lists(st.tuples(st.booleans(), st.integers(0, 6), st.integers(0, 4)), min_size=2, max_size=60)


@settings(max_examples=200, deadline=None)
@given(ROWS)
def test_weighted_figures_are_those_of_scikit_learn(rows):
    left, risk, weight = (np.array(column) for column in zip(*rows, strict=True))
    if left.all() or not left.any():
        return
    ranking = Ranking.of(left, risk / 6)
    assert np.isclose(auroc(ranking), roc_auc_score(left, risk))
    assert np.isclose(average_precision(ranking), average_precision_score(left, risk))
    if weight[left].sum() and weight[~left].sum():
        drawn = weight.astype(float)
        assert np.isclose(auroc(ranking, drawn), roc_auc_score(left, risk, sample_weight=weight))
        assert np.isclose(
            average_precision(ranking, drawn), average_precision_score(left, risk, sample_weight=weight)
        )


@settings(max_examples=100, deadline=None)
@given(ROWS, st.floats(0.01, 1), st.integers(0, 99))
def test_the_order_of_rows_decides_nothing_and_every_seat_is_given(rows, share, seed):
    left, risk, week = zip(*rows, strict=True)
    frame = pd.DataFrame(
        {
            "left": left,
            "risk_score": risk,
            "as_of": pd.Timestamp("2025-09-01") + pd.to_timedelta(week, unit="D"),
        }
    )
    listed = frame.assign(seat=seats(frame, share))
    sizes = frame.groupby("as_of").size()
    assert np.allclose(listed.groupby("as_of")["seat"].sum(), (sizes * share).round().clip(lower=1))
    shuffled = frame.sample(frac=1, random_state=seed)
    again = weekly_capacity(shuffled.assign(seat=seats(shuffled, share)))
    pd.testing.assert_frame_equal(weekly_capacity(listed), again)


def test_the_interval_of_a_share_holds_it_as_often_as_it_says():
    "Students whose weeks are alike, rare leavers: at least 93 of 100 intervals hold the true share."
    generator, held = np.random.default_rng(4), 0
    students = np.repeat(np.arange(300), 8)
    for _ in range(300):
        chance = generator.beta(0.3, 9.7, 300)  # three in a hundred
        span = share_interval(generator.random(2400) < np.repeat(chance, 8), students)
        held += span.low <= 0.03 <= span.high
    assert 0.93 <= held / 300


@pytest.fixture(scope="module")
def district():
    "Four hundred students, thirty weeks; absence drives leaving within thirty days."
    generator = np.random.default_rng(2)
    weeks = pd.DataFrame(
        {"student_id": np.repeat([f"s{number:03}" for number in range(400)], 30), "school_year": 2024}
    )
    weeks["week"] = np.tile(np.arange(1, 31), 400)
    weeks["as_of"] = pd.Timestamp("2024-09-02") + pd.to_timedelta(weeks["week"] * 7, unit="D")
    weeks["attendance_rate_ytd"] = np.repeat(generator.beta(12, 1, 400), 30)
    weeks["courses_failing"] = generator.poisson(0.2, len(weeks))
    risk = 0.25 * (1 - weeks["attendance_rate_ytd"])
    gone = generator.random(len(weeks)) < risk
    labels = weeks[["student_id", "school_year", "week", "as_of"]].assign(
        event=gone, days=np.where(gone, 10, 99_999)
    )
    labels["last_attended"] = (labels["as_of"] + pd.Timedelta(days=9)).where(gone)
    return weeks, labels, risk


@pytest.mark.parametrize("name", list(RIVALS))
def test_a_rival_learns_the_same_whatever_the_order_and_whatever_comes_later(district, name):
    weeks, labels, _ = district
    past = weeks["as_of"] <= "2025-01-31"
    columns = ("attendance_rate_ytd", "courses_failing")
    first = RIVALS[name](columns, horizon_days=30).fit(weeks[past], labels[past])
    altered = weeks.assign(courses_failing=weeks["courses_failing"].where(past, 99))
    second = RIVALS[name](columns, horizon_days=30).fit(altered[past], labels[past])
    assert first.predict(weeks).equals(second.predict(weeks))


def test_late_catches_flatter_nobody(district):
    weeks, labels, risk = district
    key = ["student_id", "school_year", "week"]
    late = labels.copy()
    chosen = late.index[late["event"]][:200]
    late.loc[chosen, "days"] = -5
    late.loc[chosen, "last_attended"] = late.loc[chosen, "as_of"] - pd.Timedelta(days=6)
    knows = weeks[key].assign(risk_score=risk.where(~risk.index.isin(chosen), 1.0))
    plain = Question(30, 0.05, champion="m", calibrated=("m",), resampling=Resampling(repeats=5))
    honest = assess({"m": knows}, late, plain)
    flattered = assess({"m": knows}, late, replace(plain, late_catches=True))
    assert honest.counts["late_catch_weeks"] == 200
    assert flattered.models["m"]["auroc"].value > honest.models["m"]["auroc"].value + 0.05


def test_unsettled_weeks_teach_nothing(district):
    weeks, labels, _ = district
    end = labels["as_of"].max()
    open_end = labels.copy()
    censored = ~open_end["event"]
    open_end.loc[censored, "days"] = (end - open_end.loc[censored, "as_of"]).dt.days
    rows = training_rows(weeks, open_end, 60)
    assert rows["as_of"].max() <= end - pd.Timedelta(days=60)


def test_rules_rank_flags_before_degrees():
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "attendance_rate_ytd": generator.random(500),
            "serious_incidents_ytd": generator.poisson(0.3, 500),
            "incidents_ytd": generator.poisson(1, 500),
            "courses_failing": generator.poisson(0.5, 500),
        }
    )
    assert (np.floor(rule_score(frame)) == rule_flags(frame).sum(axis=1)).all()
