"""Nothing dated or recorded on or after `as_of` can be seen: alter, delete and invent all of it, and compare bits.

The poison goes into the store, below everything that could filter it. What is recorded at midnight of `as_of` itself is
the first that must not be seen, so much of the poison stands exactly there.
"""

import shutil
import sqlite3
from datetime import date

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from edupulse.faces.demo import pick_dates
from edupulse.features.weekly import build_features
from edupulse.store.engine import connect
from edupulse.store.snapshot import refresh

AS_OF = date(2026, 2, 23)  # a Monday: the first day of a school week of the district's last year
EVENTS = {"attendance_records": "date", "grades": "submission_date", "discipline_incidents": "incident_date"}

# What makes a known row different, by table; the schema's checks still hold.
ALTER = {
    "attendance_records": "status = case status when 'present' then 'absent' else 'present' end",
    "grades": "grade_value = 100 - coalesce(grade_value, 0), course_id = 'POISON'",
    "discipline_incidents": "severity_level = 6 - severity_level, resolution = 'expulsion 10 days'",
}
COPY = {  # the columns of an invented row that are taken from a real one
    "attendance_records": "student_id, period",
    "grades": "student_id, course_id, assignment, due_date, weight, assignment_type",
    "discipline_incidents": "student_id, incident_type",
}
INVENT = {  # and those that are not
    "attendance_records": ("status", "'absent'"),
    "grades": ("id, grade_value", "lower(hex(randomblob(16))), 0"),
    "discipline_incidents": ("id, severity_level", "lower(hex(randomblob(16))), 5"),
}


def poison_events(db):
    "Alter a third, delete a third; withdraw, correct and invent records that were known."
    for table, day in EVENTS.items():
        later = f"({day} >= :day or recorded_at >= :day)"
        db.execute(f"update {table} set {ALTER[table]} where {later} and rowid % 3 = 0", DAY)
        db.execute(f"delete from {table} where {later} and rowid % 3 = 1", DAY)
        # Withdrawals and corrections that came later came at another time, or never.
        moved = f"update or ignore {table} set superseded_at ="
        db.execute(f"{moved} '2031-01-01 00:00:00' where superseded_at >= :day and rowid % 2", DAY)
        db.execute(f"{moved} null where superseded_at >= :day and rowid % 2 = 0", DAY)
        db.execute(
            f"{moved} :day || ' 00:00:00' where superseded_at is null and not {later} and rowid % 7 = 0", DAY
        )
        # In their place, and on days before and after, stands what nobody had recorded by then.
        for shift in ("-3 days", "-40 days", "0 days", "+5 days"):
            names, values = INVENT[table]
            db.execute(
                f"insert or ignore into {table} ({COPY[table]}, {names}, {day}, recorded_at) "
                f"select {COPY[table]}, {values}, date(:day, '{shift}'), :day || ' 00:00:00' "
                f"from {table} where rowid % 5 = 0 group by {COPY[table]}",
                DAY,
            )


def poison_stays(db):
    "Exits that were not known happen otherwise; some who stayed have left without anybody knowing."
    later = "(entry_date >= :day or recorded_at >= :day)"
    db.execute(f"delete from enrollments where {later} and rowid % 2", DAY)
    db.execute(f"update enrollments set exit_date = null where {later}", DAY)
    unknown = "(exit_date >= :day or exit_recorded_at >= :day)"
    db.execute(
        "update enrollments set exit_date = max(entry_date, date(:day, '-10 days')), exit_reason = 'dropout', "
        f"exit_recorded_at = :day || ' 00:00:00' where ({unknown} or exit_date is null) and rowid % 3 = 0",
        DAY,
    )
    db.execute(
        "update enrollments set exit_date = null, exit_reason = null, exit_recorded_at = null "
        f"where {unknown} and rowid % 3 = 1",
        DAY,
    )
    db.execute("update enrollments set superseded_at = null where superseded_at >= :day", DAY)
    db.execute(
        "update enrollments set superseded_at = :day || ' 00:00:00' "
        "where superseded_at is null and recorded_at < :day and rowid % 11 = 0",
        DAY,
    )
    columns = "student_id, school_id, school_year, grade_level, entry_date"
    db.execute(
        f"insert into enrollments (id, {columns}, recorded_at) "
        f"select lower(hex(randomblob(16))), {columns}, :day || ' 00:00:00' from enrollments where rowid % 4 = 0",
        DAY,
    )


def poison_students(db):
    "Students nobody knew yet, who sort before and between the others; columns that hold the latest known."
    stays = db.execute(
        "select school_id, school_year, entry_date from enrollments where rowid % 50 = 0"
    ).fetchall()
    for number, (school, year, entry) in enumerate(stays):
        key = f"{number:032x}"
        db.execute(
            "insert into students (id, district_id, student_metadata) values (?, ?, '{}')",
            (key, f"!{number:04}"),
        )
        db.execute(
            "insert into enrollments (id, student_id, school_id, school_year, entry_date, recorded_at) "
            "values (?, ?, ?, ?, ?, ?)",
            (f"{number + 10**6:032x}", key, school, year, entry, f"{AS_OF} 00:00:00"),
        )
    db.execute("update students set gpa = 0, attendance_rate = 0, updated_at = '2031-01-01 00:00:00'")


def poison_calendar(db):
    "Days to come are cancelled, moved and made up; attendance that arrived later arrived at another time, or never."
    db.execute("delete from school_calendar where date >= :day and rowid % 3 = 0", DAY)
    db.execute(
        "update school_calendar set day_type = case day_type when 'instructional' then 'closed' else 'instructional' end "
        "where date >= :day and rowid % 3 = 1",
        DAY,
    )
    db.execute("update school_calendar set submitted_at = null where submitted_at >= :day and rowid % 2", DAY)
    db.execute(
        "update school_calendar set submitted_at = '2031-01-01 00:00:00' where submitted_at >= :day", DAY
    )
    db.execute(
        "insert or ignore into school_calendar (school_id, date, school_year, day_type, submitted_at) "
        "select school_id, date(date, '+120 days'), school_year, 'instructional', '2026-02-24 00:00:00' "
        "from school_calendar where date(date, '+120 days') >= :day and rowid % 4 = 0",
        DAY,
    )
    first = "(select min(school_id) from schools)"  # where nothing to come is left at all
    db.execute(f"delete from school_calendar where date >= :day and school_id = {first}", DAY)
    db.execute("update schools set submitted_through = :day where submitted_through >= :day", DAY)


DAY = {"day": AS_OF.isoformat()}


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    "A small district's store, and its poisoned twin."
    from edupulse.ingest.load import ingest_folder
    from edupulse.store.migrate import migrate
    from edupulse.synth.district import synthesise

    place = tmp_path_factory.mktemp("poison")
    synthesise(place / "records", students=300, years=2, seed=3, progress=False)
    assert pick_dates(place / "records" / "calendar.csv").as_of == AS_OF
    engine = connect(f"sqlite:///{place / 'clean.db'}")
    migrate(engine)
    assert not ingest_folder(place / "records", engine).failed
    engine.dispose()
    with sqlite3.connect(place / "clean.db") as db:
        db.execute("pragma wal_checkpoint(truncate)")
    shutil.copyfile(place / "clean.db", place / "poisoned.db")
    with sqlite3.connect(place / "poisoned.db") as db:
        for poison in (poison_events, poison_stays, poison_calendar, poison_students):
            poison(db)
    return {name: connect(f"sqlite:///{place / f'{name}.db'}") for name in ("clean", "poisoned")}


@pytest.fixture(scope="module")
def snapshots(stores, tmp_path_factory):
    "A snapshot of each."
    place = tmp_path_factory.mktemp("snapshots")
    return {name: refresh(engine, place / name, progress=False) for name, engine in stores.items()}


@pytest.fixture(scope="module")
def held(snapshots, tmp_path_factory):
    "The store of the weekly features up to the day, from each."
    place = tmp_path_factory.mktemp("features")
    return {name: build_features(each, place / name, as_of=AS_OF) for name, each in snapshots.items()}


@pytest.fixture(scope="module")
def features(held):
    "The weekly features up to the day, from each."
    return {name: each.read() for name, each in held.items()}


@pytest.fixture(scope="module")
def whole(snapshots, tmp_path_factory):
    "The store of the features of all weeks, from each."
    place = tmp_path_factory.mktemp("whole")
    return {name: build_features(each, place / name) for name, each in snapshots.items()}


def assert_bits_equal(left, right):
    "The same rows, columns and types, and every value the same to the bit."
    assert list(left.columns) == list(right.columns) and len(left) == len(right)
    for name in left.columns:
        ours, theirs = left[name].to_numpy(), right[name].to_numpy()
        assert ours.dtype == theirs.dtype, name
        if ours.dtype.kind == "O":
            assert list(map(repr, ours)) == list(map(repr, theirs)), name
        else:
            assert ours.tobytes() == theirs.tobytes(), f"{name}: {(ours != theirs).sum()} values differ"


def test_the_poison_is_strong(whole):
    "Without the day, what is seen is another district."
    seen = {name: each.read() for name, each in whole.items()}
    later = {name: rows[rows["as_of"] > pd.Timestamp(AS_OF)] for name, rows in seen.items()}
    keys = ["student_id", "school_year", "week"]
    both = later["clean"].merge(later["poisoned"], on=keys, suffixes=("", "_poisoned"))
    for name in ("attendance_rate_4w", "grade_mean_4w", "incidents_ytd"):
        assert not np.array_equal(both[name], both[f"{name}_poisoned"], equal_nan=True), name


def test_features_are_the_same_to_the_bit(features):
    assert len(features["clean"]) > 5_000
    assert_bits_equal(features["clean"], features["poisoned"])


def test_all_weeks_at_once_see_no_more(whole, features):
    "The store of all weeks, made from the poison, has the same rows up to the day."
    rows = whole["poisoned"].read(as_of=AS_OF)
    assert_bits_equal(features["clean"], rows)


def test_labels_known_by_the_day_are_the_same(snapshots):
    from edupulse.labels import build_labels

    known = {name: build_labels(each, known_until=AS_OF) for name, each in snapshots.items()}
    assert known["clean"]["event"].any()
    assert_bits_equal(known["clean"], known["poisoned"])


@pytest.fixture(scope="module")
def model(snapshots, features):
    "A small model, trained on what was known by the day."
    from edupulse.labels import build_labels
    from edupulse.model.config import ModelConfig, TrainingConfig
    from edupulse.sequences import build_sequences
    from edupulse.training.estimator import RiskModel

    training = TrainingConfig(train_until=AS_OF.isoformat(), members=1, max_epochs=1, progress=False)
    labels = build_labels(snapshots["clean"], known_until=AS_OF)
    return RiskModel(ModelConfig(hidden=8), training).fit(
        build_sequences(features["clean"], "district"), labels
    )


@pytest.fixture(scope="module")
def scored(stores, held, model):
    "What a scoring run finds and writes, from each."
    from edupulse.scoring.score import ScoreOptions, score

    options = ScoreOptions(progress=False)
    return {name: score(engine, held[name], model, AS_OF, options) for name, engine in stores.items()}


def test_scores_bands_and_reasons_are_the_same_to_the_bit(scored):
    assert scored["clean"].frame["risk_score"].notna().sum() > 200
    assert scored["clean"].frame["risk_factors"].str.len().max() > 0
    assert_bits_equal(scored["clean"].frame, scored["poisoned"].frame)


@pytest.mark.parametrize("name", ["predictions", "student_features"])
def test_what_is_stored_is_the_same_to_the_bit(scored, stores, name):
    from edupulse.store import tables

    table, moments = getattr(tables, name), {"id", "created_at", "prediction_date"}
    day = table.c.as_of if name == "predictions" else table.c.feature_date
    columns = [column for column in table.c if column.name not in moments]
    rows = {}
    for store, engine in stores.items():
        with engine.connect() as db:
            query = sa.select(*columns).where(day == AS_OF).order_by(table.c.student_id)
            rows[store] = pd.DataFrame(db.execute(query).mappings().all())
    assert len(rows["clean"]) > 200
    assert_bits_equal(rows["clean"], rows["poisoned"])


def test_training_on_what_was_known_gives_the_same_network(snapshots, features, model):
    from edupulse.labels import build_labels
    from edupulse.sequences import build_sequences
    from edupulse.training.estimator import RiskModel

    labels = build_labels(snapshots["poisoned"], known_until=AS_OF)
    again = RiskModel(model.config, model.training).fit(
        build_sequences(features["poisoned"], "district"), labels
    )
    assert again.version_ == model.version_
    rows = build_sequences(features["clean"], "district")
    assert_bits_equal(model.predict(rows), again.predict(rows))
