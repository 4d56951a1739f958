"""Scoring on both databases: whole or not at all, once, and the same whatever happens afterwards."""

import uuid
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from edupulse.explain.reasons import strength
from edupulse.faces.caseload_page import missing
from edupulse.features.catalog import feature_version, find_feature_set
from edupulse.jobs.record import Refused
from edupulse.model.config import ModelConfig, TrainingConfig
from edupulse.scoring import record
from edupulse.scoring.caseload import caseload, scored_dates
from edupulse.scoring.catch_up import catch_up
from edupulse.scoring.examples import fill_store, invent_district, write_features
from edupulse.scoring.roster import MANY, BandRule, enrolled, unheard
from edupulse.scoring.score import ScoreOptions, score
from edupulse.scoring.shown import stale_schools
from edupulse.sequences import build_sequences
from edupulse.store.engine import session
from edupulse.store.tables import (
    attendance_records,
    grades,
    natural_id,
    predictions,
    school_calendar,
    schools,
    student_features,
    students,
)
from edupulse.training.estimator import RiskModel
from edupulse.training.examples import ExamplePlan

AS_OF = date(2022, 12, 5)
QUIET = ScoreOptions(progress=False)


@pytest.fixture(scope="module")
def district():
    return invent_district(ExamplePlan(students=250, years=2, seed=6), silent_share=0.04)


@pytest.fixture(scope="module")
def features(district, tmp_path_factory):
    return write_features(district.features, Path(tmp_path_factory.mktemp("features")))


@pytest.fixture(scope="module")
def model(district):
    sequences = build_sequences(district.features, find_feature_set("district"))
    training = TrainingConfig(
        train_until="2023-07-01",
        members=2,
        max_epochs=2,
        closing_epochs=0,
        learning_rate=1e-2,
        progress=False,
    )
    return RiskModel(ModelConfig(), training).fit(sequences, district.labels)


def stored(engine) -> list:
    with engine.connect() as db:
        tables = predictions, student_features, students
        keys = [(table, table.c.get("student_id", table.c.get("id"))) for table in tables]
        return [[tuple(row) for row in db.execute(sa.select(table).order_by(key))] for table, key in keys]


def test_everybody_enrolled_is_scored_once(store, district, features, model):
    fill_store(store, district.features)
    first = score(store, features, model, AS_OF, QUIET)
    roll = enrolled(store, AS_OF)
    assert set(first.frame["student_id"]) == set(roll["student_id"]) and first.written > 0.9 * len(roll)
    before = stored(store)
    second = score(store, features, model, AS_OF, QUIET)
    assert (second.written, second.unchanged) == (0, first.written)
    assert stored(store) == before
    rows = pd.DataFrame(before[0], columns=[column.name for column in predictions.columns])
    assert rows["risk_score"].between(0, 1).all() and rows["confidence"].between(0, 1).all()
    assert rows["trajectory"].map(len).max() == 12 and (rows["model_version"] == model.version_).all()
    explained = rows[rows["convergence_delta"].notna()]
    assert 0.08 * len(rows) < len(explained) < 0.14 * len(rows)
    assert explained["convergence_delta"].abs().max() < 0.05
    assert rows["risk_factors"].map(len).max() <= 3


def test_the_roll_of_some_is_the_roll_without_the_others(store, district):
    fill_store(store, district.features)
    whole = enrolled(store, AS_OF)
    few = sorted(map(uuid.UUID, whole["student_id"]))[::3]
    some = whole[whole["student_id"].isin({str(each) for each in few})].reset_index(drop=True)
    assert 0 < len(few) < len(whole)
    assert enrolled(store, AS_OF, [*few, uuid.uuid4()]).equals(some)
    assert enrolled(store, AS_OF, sa.select(students.c.id).where(students.c.id.in_(few))).equals(some)
    assert enrolled(store, AS_OF, []).empty
    many = [*few, *(uuid.uuid4() for _ in range(MANY))]  # so many that everybody is read
    assert enrolled(store, AS_OF, many).equals(some)


def test_weeks_that_were_missed_are_scored_as_they_were_known(store, district, features, model):
    fill_store(store, district.features)
    weeks = [AS_OF - timedelta(weeks=back) for back in (2, 1)]
    score(store, features, model, weeks[1], QUIET)
    alone = {row[1]: row for row in stored(store)[0]}
    assert [each.as_of for each in catch_up(store, features, model, (AS_OF, 2), QUIET)] == weeks[:1]
    assert not catch_up(store, features, model, (AS_OF, 2), QUIET)
    assert set(scored_dates(store)["as_of"]) == set(weeks)
    kept = stored(store)[0]
    assert all(row in kept for row in alone.values()), "a week that was scored has changed"


def test_a_run_that_stops_leaves_nothing(store, district, features, model, monkeypatch):
    fill_store(store, district.features)
    written = []

    def stop_at_the_second(db, table, rows, same):
        written.append(table.name)
        if len(written) == 2:
            raise KeyboardInterrupt
        return original(db, table, rows, same)

    original = record.write_once
    monkeypatch.setattr(record, "write_once", stop_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        score(store, features, model, AS_OF, QUIET)
    assert written == ["predictions", "student_features"]
    scores, vectors, people = stored(store)
    assert scores == [] and vectors == []


def test_what_is_known_later_changes_no_score(store, district, features, model, tmp_path):
    fill_store(store, district.features)
    first = score(store, features, model, AS_OF, QUIET).frame
    later = district.features["as_of"] > pd.Timestamp(AS_OF)
    poisoned = district.features.copy()
    names = [name for row in find_feature_set("district").modalities.values() for name in row]
    generator = np.random.default_rng(1)
    poisoned.loc[later, names] = generator.normal(0, 100, (int(later.sum()), len(names))).astype("float32")
    again = score(
        store, write_features(poisoned, tmp_path), model, AS_OF, ScoreOptions("again", progress=False)
    ).frame
    pd.testing.assert_frame_equal(first, again, check_exact=True)


def test_what_arrives_late_is_scored_anew_in_place_and_only_where_it_differs(
    store, district, features, model, tmp_path
):
    fill_store(store, district.features)
    score(store, features, model, AS_OF, QUIET)
    before = stored(store)
    assert score(store, features, model, AS_OF, replace(QUIET, again=True)).written == 0
    assert stored(store) == before, "the same records gave other rows"
    late = district.features.copy()
    newest = late["as_of"] == late.loc[late["as_of"] <= pd.Timestamp(AS_OF), "as_of"].max()
    there = {str(row[1]) for row in before[0]}
    touched = sorted(there & set(late.loc[newest, "student_id"].astype(str)))[:5]
    rows = newest & late["student_id"].astype(str).isin(touched)
    late.loc[rows, ["attendance_rate_1w", "attendance_rate_4w"]] = 0.1
    arrived = write_features(late, tmp_path)
    assert score(store, arrived, model, AS_OF, QUIET).written == 0 and stored(store)[0] == before[0]
    again = score(store, arrived, model, AS_OF, replace(QUIET, again=True))
    old, new = ({str(row[1]): row for row in rows} for rows in (before[0], stored(store)[0]))
    risk = list(predictions.c.keys()).index("risk_score")
    moved = {key for key in old if old[key][risk] != new[key][risk]}
    assert len(touched) == 5 and moved == set(touched) and again.written >= 5
    assert [row[0] for row in old.values()] == [new[key][0] for key in old], "an answer would lose its score"


def write_down(engine, roll, nowhere, presents: bool, known=None):
    """Seven weeks of school days: everybody but `nowhere` is written down daily, or only with one absence."""
    days = [day.date() for day in pd.bdate_range("2022-10-17", AS_OF - pd.Timedelta(days=1))]
    rows = []
    for number, key in enumerate(roll["student_id"]):
        absent = days[-1 - number % 15]
        rows += [
            dict(student_id=uuid.UUID(key), date=day, status="absent" if day == absent else "present",
                 recorded_at=known or pd.Timestamp(day).to_pydatetime())
            for day in days if key not in nowhere and (presents or day == absent)
        ]  # fmt: skip
    with engine.begin() as db:
        db.execute(sa.insert(attendance_records), rows)


def give_grade(engine, key, day):
    when = pd.Timestamp(day).to_pydatetime()
    row = dict(course_id="ALG1", grade_value=80.0, submission_date=day, recorded_at=when)
    with engine.begin() as db:
        mark = natural_id("grades", key, day)
        db.execute(sa.insert(grades).values(id=mark, student_id=uuid.UUID(key), **row))


def test_nobody_is_present_because_nothing_is_written_down(store, district, features, model):
    fill_store(store, district.features)
    roll = enrolled(store, AS_OF)
    before = score(store, features, model, AS_OF, QUIET).frame.set_index("student_id")
    nowhere = before.index[before["judged"]][:7].tolist()
    graded, nothing = nowhere[0], nowhere[1:]
    write_down(store, roll, nowhere, presents=True)
    give_grade(store, graded, date(2022, 11, 21))
    named = ScoreOptions("daily", progress=False)
    after = score(store, features, model, AS_OF, named).frame.set_index("student_id")
    assert (after.loc[nothing, "band"] == "nodata").all() and after.loc[graded, "judged"]
    assert after.index[before["judged"] & ~after["judged"]].tolist() == nothing
    monday = score(store, features, model, date(2022, 11, 28), replace(named, model_version="before"))
    with store.connect() as db:
        query = sa.select(student_features.c.feature_vector, student_features.c.attendance_rate)
        query = query.where(student_features.c.feature_date == monday.as_of)
        vector, rate = db.execute(query.where(student_features.c.student_id == uuid.UUID(graded))).one()
    assert vector["metadata"]["missing"] == ["attendance"] and rate is None
    assert (after["risk_score"].dropna() == before["risk_score"].dropna()).all()

    write_down(store, roll[roll["student_id"].isin(nowhere)], [], presents=False, known=datetime(2022, 12, 5))
    give_grade(store, nothing[0], AS_OF)
    again = score(store, features, model, AS_OF, replace(named, model_version="later")).frame
    pd.testing.assert_frame_equal(again.set_index("student_id"), after, check_exact=True)


def test_where_only_absences_are_listed_nobody_is_missed_for_having_none(store, district):
    fill_store(store, district.features)
    roll = enrolled(store, AS_OF)
    nowhere = roll["student_id"][:7].tolist()
    write_down(store, roll, nowhere, presents=False)
    assert not unheard(store, roll, AS_OF, 4)[["unlisted", "silent"]].any(axis=None)
    for key in roll["student_id"][6:]:
        give_grade(store, key, date(2022, 11, 21))
    missing = unheard(
        store, roll, AS_OF, 4
    )  # all but six have grades: these are told from who is always there
    assert roll["student_id"][missing["silent"]].tolist() == nowhere[:6] and not missing["unlisted"].any()
    assert not unheard(store, roll, date(2022, 11, 21), 4)["silent"].any()  # not known yet


def test_the_list_is_read_from_the_store(store, district, features, model):
    fill_store(store, district.features)
    with store.begin() as db:
        hostile = {"first_name": "<script>alert(1)</script>", "last_name": "';drop table students;--"}
        db.execute(sa.update(students).values(**hostile))
    earlier = score(store, features, model, date(2022, 11, 28), QUIET)
    result = score(store, features, model, AS_OF, QUIET)
    listed = caseload(store, AS_OF, model.version_, BandRule())
    expected = result.frame.set_index("student_id")["band"]
    found = listed.frame.set_index("student_id")["band"]
    pd.testing.assert_series_equal(found.loc[expected.index], expected, check_names=False)
    assert listed.previous == earlier.as_of
    meet = listed.band("meet").iloc[0]
    assert meet["reasons"] == result.frame.set_index("student_id").at[meet["student_id"], "risk_factors"]
    assert (listed.band("nodata")["risk_factors"].map(lambda each: each or []).map(len) == 0).all()

    from edupulse.faces.caseload_page import caseload_page

    page = caseload_page(listed)
    assert "<script>alert" not in page and "&lt;script&gt;alert(1)" in page


def test_the_page_speaks_the_words_of_the_features_behind_the_scores(store, district, features, model):
    fill_store(store, district.features)
    score(store, features, model, AS_OF, QUIET)
    assert caseload(store).words == find_feature_set("district").words
    with store.begin() as db:
        db.execute(sa.update(predictions).values(feature_version=feature_version("oulad")))
    assert caseload(store).words == find_feature_set("oulad").words


def test_no_name_reaches_a_result(store, district, features, model, capsys):
    fill_store(store, district.features)
    result = score(store, features, model, AS_OF, QUIET)
    listed = caseload(store)
    said = repr(result) + repr(listed) + "".join(capsys.readouterr())
    assert "Student" not in said and "first_name" not in result.frame.columns


def test_a_strength_never_contradicts_a_reason():
    values = {"attendance_rate_4w": 0.97, "grade_mean_4w": 85.0}
    said = strength(values, lambda weeks: date(2025, 10, 20), date(2025, 11, 16), {"absence"})
    assert "85" in said


def silence(engine, school, since):
    "A school sends nothing from a day on."
    days = school_calendar.c
    with session(engine) as db:
        gone = (days.school_id == school) & (days.date >= since)
        db.execute(sa.update(school_calendar).where(gone).values(submitted_at=None))


def test_the_students_of_a_stale_school_keep_their_last_scores_marked_with_their_day(
    store, district, model, tmp_path
):
    told = district.features.copy()
    told["school_id"] = np.where(told["person"].astype(int) % 3, "north", "south")
    features = write_features(told, tmp_path / "a")
    fill_store(store, told)
    weeks = [AS_OF - timedelta(weeks=back) for back in (2, 1, 0)]
    score(store, features, model, weeks[0], QUIET)
    silence(store, "south", weeks[0] + timedelta(days=2))
    results = [score(store, features, model, day, QUIET) for day in weeks[1:]]
    listed, before = caseload(store), caseload(store, weeks[0])
    day = listed.frame.groupby("school_id")["scored_on"].agg(["min", "max"])
    assert listed.as_of == AS_OF and day.loc["south"].tolist() == [weeks[0]] * 2
    assert day.loc["north"].tolist() == [AS_OF] * 2
    columns = ["student_id", "risk_score", "band", "reasons"]
    old, now = (
        each.frame[each.frame["school_id"] == "south"].set_index("student_id") for each in (before, listed)
    )
    both = old.index.intersection(now.index)
    assert len(both) > 60
    pd.testing.assert_frame_equal(now.loc[both, columns[1:2]], old.loc[both, columns[1:2]], check_exact=True)
    assert now["band"].isin(["meet", "watch"]).sum() >= 5
    assert now.loc[now["band"] == "meet", "reasons"].map(len).min() >= 1
    with store.connect() as db:
        ours = sa.select(predictions.c.as_of).where(
            predictions.c.student_id.in_([uuid.UUID(each) for each in both])
        )
        assert set(db.scalars(ours)) == {weeks[0]}, "somebody of the silent school was scored anew"
    assert f"its students stand as on {weeks[0]:%-d %b}" in str(missing(listed)) and results[1].written
    later = told["as_of"] > pd.Timestamp(AS_OF)  # whatever comes afterwards moves nothing
    names = [name for row in find_feature_set("district").modalities.values() for name in row]
    told.loc[later, names] = 0
    silence(store, "north", AS_OF)
    score(store, write_features(told, tmp_path / "b"), model, AS_OF, replace(QUIET, again=True))
    assert (
        caseload(store, AS_OF)
        .frame.drop(columns="prediction_id", errors="ignore")
        .equals(listed.frame.drop(columns="prediction_id", errors="ignore"))
    )
    with session(store) as db:  # the missing days arrive
        days = school_calendar.c
        sent = (days.school_id == "south") & (days.date < AS_OF)
        db.execute(sa.update(school_calendar).where(sent).values(submitted_at=days.date))
    assert score(store, features, model, AS_OF, QUIET).written >= len(both) * 0.9
    assert set(caseload(store).frame["scored_on"]) == {AS_OF}


def test_a_school_stays_silent_through_a_short_week_and_the_summer_and_a_new_year_begins_afresh(store):
    days = [date(2026, 5, day) for day in range(18, 23)] + [date(2026, 6, 8), date(2026, 6, 9)]
    years = {2025: days, 2026: [date(2026, 8, day) for day in (24, 25, 26)]}
    unsent = {"silent": days[3:], "late": days[3:], "new": years[2026][:2], "good": []}
    unsent["silent"] = unsent["silent"] + years[2026]
    with session(store) as db:
        for school, missing in unsent.items():
            db.execute(sa.insert(schools).values(school_id=school, name=school))
            for year, each in ((year, each) for year, those in years.items() for each in those):
                row = {"school_id": school, "date": each, "school_year": year, "day_type": "instructional"}
                sent = None if each in missing else each
                db.execute(sa.insert(school_calendar).values(**row, submitted_at=sent))

    def stale(day):
        return stale_schools(store, day).query("stale")["school_id"].tolist()

    said = {day: stale(day) for day in (date(2026, 5, 25), date(2026, 6, 15), date(2026, 8, 1))}
    assert list(said.values()) == [[], ["late", "silent"], ["late", "silent"]]
    assert stale(date(2026, 8, 26)) == ["silent"] == stale(date(2026, 8, 27))
    with session(store) as db:
        days = school_calendar.c
        db.execute(sa.update(school_calendar).where(days.date >= date(2026, 6, 15)).values(submitted_at=None))
    assert {day: stale(day) for day in said} == said


def test_a_school_is_stale_only_where_attendance_is_expected(store):
    "A late start, a week closed by calendar, schools without attendance and one that was closed for good."
    from edupulse.jobs.guards import check_fresh

    october = [date(2026, 10, day) for day in range(5, 17) if date(2026, 10, day).weekday() < 5]
    days = {
        "good": {day: ("instructional", day) for day in october},
        "closed week": {
            day: ("instructional", day) if day < october[5] else ("closed", None) for day in october
        },
        "late start": {day: ("instructional", None) for day in october[-2:]},
        "virtual": {day: ("open", None) for day in october},
        "not begun": {date(2026, 11, 2): ("instructional", None)},
        "gone": {date(2024, 6, day): ("instructional", None) for day in range(3, 8)},
        "no calendar": {},
    }
    with session(store) as db:
        for school, each in days.items():
            db.execute(sa.insert(schools).values(school_id=school, name=school))
            for day, (kind, sent) in each.items():
                row = {"school_id": school, "date": day, "school_year": day.year, "day_type": kind}
                db.execute(sa.insert(school_calendar).values(**row, submitted_at=sent))
    as_of = date(2026, 10, 17)
    frame = stale_schools(store, as_of)
    assert frame.query("stale").empty and check_fresh(store, as_of) == 0
    assert frame.query("expected")["school_id"].tolist() == ["closed week", "good", "late start"]
    c = school_calendar.c
    with session(store) as db:  # a third day of a late school, and two of three schools are silent
        db.execute(
            sa.insert(school_calendar).values(
                school_id="late start", date=as_of, school_year=2026, day_type="instructional"
            )
        )
        db.execute(sa.update(school_calendar).where(c.school_id == "closed week").values(submitted_at=None))
    assert stale_schools(store, as_of + timedelta(days=1)).query("stale")["school_id"].tolist() == [
        "closed week",
        "late start",
    ]
    with pytest.raises(Refused, match="2 of 3 schools have not sent"):
        check_fresh(store, as_of + timedelta(days=1))


def test_where_no_school_has_told_nobody_is_scored(store, district, features, model):
    fill_store(store, district.features)
    score(store, features, model, AS_OF - timedelta(weeks=1), QUIET)
    before = stored(store)
    silence(store, "school-0", AS_OF - timedelta(days=6))
    with pytest.raises(ValueError, match="nobody can be scored"):
        score(store, features, model, AS_OF, QUIET)
    assert stored(store) == before
    assert [
        each.as_of for each in catch_up(store, features, model, (AS_OF + timedelta(weeks=1), 3), QUIET)
    ] == [AS_OF - timedelta(weeks=back) for back in (2,)]
