"""Features may not know what was not known: exact in time, deaf to the future, the same for any order and threads."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from random_district import make_district

from edupulse.features.oracle import connect_frames
from edupulse.features.weekly import frame_features

KEY = ["student_id", "school_year", "week"]
DAYS = {
    "calendar": "date",
    "enrollments": "entry_date",
    "attendance": "date",
    "grades": "submission_date",
    "incidents": "incident_date",
}
SETS = ["district", "oulad"]


@pytest.fixture(scope="module", params=[3, pytest.param(8, marks=pytest.mark.soak)])
def district(request) -> dict[str, pd.DataFrame]:
    "A random district, with course work of both feature sets."
    tables = make_district(request.param)
    kinds = {"test": "TMA", "homework": "CMA", "project": "Exam"}
    return {**tables, "grades": tables["grades"].replace({"assignment_type": kinds})}


def same(left: pd.DataFrame, right: pd.DataFrame) -> None:
    "Bit for bit, and the same rows."
    left = left.sort_values(KEY, ignore_index=True)
    pd.testing.assert_frame_equal(left, right.sort_values(KEY, ignore_index=True), check_exact=True)


def poison(tables: dict[str, pd.DataFrame], as_of: date, seed: int) -> dict[str, pd.DataFrame]:
    "Everything dated or recorded on or after `as_of` altered, deleted or invented."
    random, start, changed = np.random.default_rng(seed), pd.Timestamp(as_of), dict(tables)
    for name, day in DAYS.items():
        frame = tables[name].copy()
        dated = pd.to_datetime(frame[day])
        recorded = pd.to_datetime(frame.get("recorded_at", dated)).fillna(dated)
        past = frame[(dated < start) & (recorded < start)].copy()
        for column in set(frame) & {"superseded_at", "exit_recorded_at", "submitted_at"}:
            late = pd.to_datetime(past[column]) >= start
            past.loc[late, column] = pd.NaT if random.random() < 0.5 else start + pd.Timedelta(days=3)
        if name == "enrollments":
            unknown = past["exit_recorded_at"].isna() | (pd.to_datetime(past["exit_date"]) >= start)
            past.loc[unknown, ["exit_date", "exit_reason", "exit_recorded_at"]] = None
            withdrawn = past.sample(frac=0.5, random_state=seed).index
            past.loc[withdrawn, "superseded_at"] = past.loc[withdrawn, "superseded_at"].fillna(start)
        future = frame[(dated >= start) & (random.random(len(frame)) < 0.5)].copy()
        if name in ("attendance", "incidents", "grades"):
            future["recorded_at"] = start + pd.Timedelta(days=1)
            invented = past.sample(min(20, len(past)), random_state=seed).copy()
            invented["recorded_at"] = start  # told on that very day, of days long before
            invented["superseded_at"] = pd.NaT
            future = pd.concat([future, invented])
        changed[name] = pd.concat([past, future], ignore_index=True)
    return changed


@pytest.mark.parametrize("feature_set", SETS)
def test_all_weeks_at_once_equal_each_week_on_its_own_day(district, feature_set):
    connection = connect_frames(district)
    whole = frame_features(connection, feature_set=feature_set)
    ends = sorted(pd.to_datetime(whole["as_of"]).unique())
    for end in [ends[2], ends[20], ends[-1], ends[9] + timedelta(days=3)]:  # week ends, and a day between
        alone = frame_features(connection, pd.Timestamp(end).date(), feature_set)
        same(whole[whole["as_of"] <= end], alone)


@pytest.mark.parametrize("feature_set", SETS)
def test_the_future_may_be_anything(district, feature_set):
    for seed, as_of in enumerate([date(2023, 9, 18), date(2023, 12, 7)]):
        clean = frame_features(connect_frames(district), as_of, feature_set)
        changed = poison(district, as_of, seed)
        if feature_set == "oulad":
            changed["calendar"] = district["calendar"]  # due days are announced: a plan, not an event
        same(clean, frame_features(connect_frames(changed), as_of, feature_set))
        everything = frame_features(connect_frames(changed), feature_set=feature_set)
        same(clean, everything[everything["as_of"] <= pd.Timestamp(as_of)])


@pytest.mark.parametrize("feature_set", SETS)
def test_neither_order_nor_threads_change_a_bit(district, feature_set):
    shuffled = {
        name: frame.sample(frac=1, random_state=5, ignore_index=True) for name, frame in district.items()
    }
    first = frame_features(connect_frames(district, threads=1), feature_set=feature_set)
    same(first, frame_features(connect_frames(shuffled, threads=4), feature_set=feature_set))


def test_days_of_presence_carry_no_information(district):
    exceptions = district["attendance"][district["attendance"]["status"] != "present"]
    kept = {**district, "attendance": exceptions}
    same(frame_features(connect_frames(district)), frame_features(connect_frames(kept)))
