"""The store on both databases: the same tables, checks, indexes and cascades, and migrations that cannot hurt."""

import threading
import warnings
from datetime import date, datetime, timedelta

import duckdb
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alone import asked_alone
from databases import candidate_folders, running_server
from forks import Forked
from hypothesis import given, settings
from hypothesis import strategies as st

from edupulse.store import tables
from edupulse.store.engine import connect, session
from edupulse.store.migrate import known_revisions, migrate, migration, refresh_summary, store_state
from edupulse.store.queries import feedback_by_model, students_at_risk, weekly_attendance
from edupulse.store.tables import natural_id

DAY = date(2024, 3, 4)
MOMENT = datetime(2024, 3, 4, 16, 30)


def student_row(key: str = "D-1", **values) -> dict:
    return {"id": natural_id("students", key), "district_id": key, **values}


def prediction_row(key: str = "D-1", as_of: date = DAY, **values) -> dict:
    row = {
        "id": natural_id("predictions", key, as_of),
        "student_id": natural_id("students", key),
        "as_of": as_of,
    }
    row |= {"horizon_days": 60, "risk_score": 0.5, "risk_category": "medium", "model_version": "1"}
    return {**row, **values}


def rows_about(key: str = "D-1") -> dict[str, dict]:
    """One row for every table that is about a student, and what those rows need."""
    about = {"student_id": natural_id("students", key)}
    known = {"recorded_at": MOMENT}
    staff = natural_id("staff", "counselor")
    return {
        "students": student_row(key, grade_level=9),
        "schools": {"school_id": "north"},
        "school_calendar": {
            "school_id": "north",
            "date": DAY,
            "school_year": 2023,
            "day_type": "instructional",
        },
        "staff": {"id": staff, "username": "counselor", "role": "counselor"},
        "enrollments": {
            **{
                "id": natural_id("enrollments", key),
                "school_id": "north",
                "school_year": 2023,
                "grade_level": 9,
            },
            **about,
            **known,
            "entry_date": DAY,
        },
        "attendance_records": {**about, **known, "date": DAY, "status": "absent"},
        "grades": {
            **{
                "id": natural_id("grades", key),
                "course_id": "MATH",
                "submission_date": DAY,
                "grade_value": 71.5,
            },
            **about,
            **known,
        },
        "discipline_incidents": {
            **{"id": natural_id("discipline_incidents", key), "incident_date": DAY, "severity_level": 2},
            **about,
            **known,
        },
        "student_features": {
            **about,
            "feature_date": DAY,
            "attendance_rate": 0.9,
            "feature_vector": {"a": 1},
        },
        "predictions": prediction_row(key),
        "training_feedback": {
            "id": natural_id("training_feedback", key),
            "prediction_id": natural_id("predictions", key, DAY),
            "feedback_type": "true_positive",
        },
        "caseloads": {**about, "staff_id": staff, "start_date": DAY},
        "interventions": {
            **{"id": natural_id("interventions", key), "champion_id": staff, "intervention_type": "mentor"},
            **about,
            **{"positive_goal": "comes on Mondays", "start_date": DAY},
        },
        "contacts": {
            **{"id": natural_id("contacts", key), "staff_id": staff, "contact_date": DAY},
            **about,
            **{"kind": "call", "reached": True},
        },
        "data_fixes": {
            **{"id": natural_id("data_fixes", key), "staff_id": staff, "reason": "medical"},
            **about,
            "prediction_id": natural_id("predictions", key, DAY),
        },
        "drafts": {**about, "staff_id": staff, "form": "contact", "content": {"note": "call ag"}},
        "preferences": {"staff_id": staff, "content": {"language": "es"}},
        "audit_head": {"id": 1, "sequence": 0, "entry_hash": "0" * 64},
        "mails": {
            **{"id": natural_id("mails", key), "key": key, "staff_id": staff, "subject": "Your week"},
            **{"text": "3 are new.", "state": "queued", "queued_at": MOMENT},
        },
        "alerts": {
            **{"id": natural_id("alerts", key), "key": key, "kind": "stale", "words": "north sent nothing"},
            "opened_at": MOMENT,
        },
    }


def fill(engine: sa.Engine, key: str = "D-1") -> None:
    with session(engine) as db:
        for name, row in rows_about(key).items():
            db.execute(sa.insert(tables.metadata.tables[name]), row)


def count(engine: sa.Engine, name: str) -> int:
    with session(engine, read_only=True) as db:
        return db.scalar(sa.select(sa.func.count()).select_from(tables.metadata.tables[name]))


# --- what the migrations build ---------------------------------------------------------------------------------------


def test_migrations_build_what_the_metadata_says(store):
    with store.connect() as connection, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "can't compare an expression index": its behaviour is tested below
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, tables.metadata)
    described = [
        str(difference)
        for difference in differences
        if "uq_attendance_records_current" not in str(difference)
    ]
    assert described == []


def test_checks_have_the_same_names_in_metadata_and_migrations(store):
    inspector = sa.inspect(store)
    for name, table in tables.metadata.tables.items():
        written = {
            sa.schema.conv(store.dialect.identifier_preparer.format_constraint(constraint)).strip('"')
            for constraint in table.constraints
            if isinstance(constraint, sa.CheckConstraint)
        }
        assert {check["name"] for check in inspector.get_check_constraints(name)} == written, name


PROMISED_INDEXES = {
    "students": ["district_id", "grade_level", "enrollment_date", "created_at"],
    "attendance_records": ["student_id date", "date status", "status"],
    "grades": ["student_id course_id", "submission_date", "course_id", "assignment_type"],
    "discipline_incidents": ["student_id incident_date", "severity_level", "incident_type"],
    "student_features": ["feature_date", "student_id feature_date"],
    "predictions": [
        "student_id",
        "prediction_date",
        "risk_category",
        "model_version",
        "student_id as_of model_version",
    ],
    "training_feedback": ["prediction_id", "feedback_type", "outcome_date"],
    "model_metadata": ["model_version", "is_active", "training_date"],
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", PROMISED_INDEXES)
def test_every_promised_index_is_there(store, name):
    present = {
        " ".join(str(part) for part in index["column_names"]) for index in sa.inspect(store).get_indexes(name)
    }
    assert set(PROMISED_INDEXES[name]) <= present


def test_every_reference_to_a_student_or_a_prediction_cascades(store):
    inspector = sa.inspect(store)
    for name in tables.metadata.tables:
        for key in inspector.get_foreign_keys(name):
            if key["referred_table"] in ("students", "predictions"):
                assert key["options"].get("ondelete") == "CASCADE", name


def test_deleting_a_student_deletes_everything_about_them_and_nobody_else(store):
    fill(store)
    with session(store) as db:
        db.execute(sa.insert(tables.students), student_row("D-2"))
        db.execute(sa.delete(tables.students).where(tables.students.c.district_id == "D-1"))
    kept = {"students", "schools", "school_calendar", "staff", "preferences", "audit_head"} | {
        "mails",
        "alerts",
    }
    assert {name for name in rows_about() if count(store, name)} == kept and count(store, "students") == 1


# --- what the database refuses ---------------------------------------------------------------------------------------

REFUSED = [
    ("students", {"grade_level": 13}),
    ("students", {"grade_level": -1}),
    ("students", {"gpa": 4.1}),
    ("students", {"attendance_rate": 1.1}),
    ("students", {"district_id": None}),
    ("schools", {"week_starts_on": 8}),
    ("schools", {"periods_per_day": 0}),
    ("school_calendar", {"day_type": "holiday"}),
    ("enrollments", {"exit_reason": "W06"}),
    ("enrollments", {"exit_date": DAY - timedelta(1)}),
    ("enrollments", {"grade_level": 13}),
    ("attendance_records", {"status": "late"}),
    ("attendance_records", {"period": -1}),
    ("attendance_records", {"recorded_at": None}),
    ("grades", {"grade_value": 100.5}),
    ("grades", {"grade_value": -1}),
    ("grades", {"weight": -0.5}),
    ("grades", {"course_id": None}),
    ("discipline_incidents", {"severity_level": 0}),
    ("discipline_incidents", {"severity_level": 6}),
    ("student_features", {"attendance_rate": -0.1}),
    ("student_features", {"gpa_current": 5.1}),
    ("student_features", {"discipline_incidents": -1}),
    ("predictions", {"risk_score": 1.01}),
    ("predictions", {"risk_category": "severe"}),
    ("predictions", {"confidence": -0.01}),
    ("predictions", {"horizon_days": 0}),
    ("training_feedback", {"feedback_type": "unsure"}),
    ("caseloads", {"end_date": DAY - timedelta(1)}),
    ("interventions", {"length_weeks": 0}),
    ("interventions", {"state": "forgotten"}),
    ("contacts", {"kind": "rumour"}),
    ("data_fixes", {"reason": "mood"}),
    ("data_fixes", {"state": "lost"}),
    ("audit_head", {"id": 2}),
    ("staff", {"role": "stranger"}),
    ("mails", {"state": "lost"}),
    ("mails", {"staff_id": None}),
    ("mails", {"channel": "pigeon"}),
    ("mails", {"attempts": -1}),
    ("alerts", {"kind": "mood"}),
]


def test_the_database_refuses_impossible_values(store):
    for name, wrong in REFUSED:
        with pytest.raises(sa.exc.IntegrityError), session(store) as db:
            rows = rows_about()
            needed = [table for table in rows if table != name]
            for table in needed[: list(rows).index(name)]:
                db.execute(sa.insert(tables.metadata.tables[table]), rows[table])
            db.execute(sa.insert(tables.metadata.tables[name]), {**rows[name], **wrong})
            pytest.fail(f"{name} accepted {wrong}")
    assert count(store, "students") == 0  # every one of those sessions was rolled back whole


def test_the_rows_of_an_import_add_up(store):
    row = {"id": natural_id("imports", 1), "source": "csv", "rows_read": 10, "rows_accepted": 8}
    with pytest.raises(sa.exc.IntegrityError), session(store) as db:
        db.execute(sa.insert(tables.historical_data_imports), {**row, "rows_quarantined": 1})
    with session(store) as db:
        db.execute(sa.insert(tables.historical_data_imports), {**row, "rows_quarantined": 2})


def test_an_unknown_student_is_refused(store):
    with pytest.raises(sa.exc.IntegrityError), session(store) as db:
        db.execute(sa.insert(tables.attendance_records), rows_about()["attendance_records"])


@pytest.mark.parametrize("period", [None, 3])
def test_attendance_is_unique_where_it_is_current_and_a_null_period_counts_as_equal(store, period):
    record = {**rows_about()["attendance_records"], "period": period}
    with session(store) as db:
        db.execute(sa.insert(tables.students), student_row())
        db.execute(sa.insert(tables.attendance_records), {**record, "superseded_at": MOMENT})
        db.execute(sa.insert(tables.attendance_records), {**record, "superseded_at": MOMENT})
        db.execute(sa.insert(tables.attendance_records), record)
        db.execute(sa.insert(tables.attendance_records), {**record, "period": 7})
    with pytest.raises(sa.exc.IntegrityError), session(store) as db:
        db.execute(sa.insert(tables.attendance_records), record)


def test_scoring_a_week_twice_is_one_prediction(store):
    with session(store) as db:
        db.execute(sa.insert(tables.students), student_row())
        db.execute(sa.insert(tables.predictions), prediction_row())
        again = prediction_row(id=natural_id("predictions", "other"))
        with pytest.raises(sa.exc.IntegrityError), db.begin_nested():
            db.execute(sa.insert(tables.predictions), again)
        db.execute(sa.insert(tables.predictions), {**again, "model_version": "2"})


def test_at_most_one_model_is_active(store):
    def model(version: str, active: bool) -> dict:
        return {"id": natural_id("model_metadata", version), "model_version": version, "is_active": active}

    with session(store) as db:
        for version, active in (("1", False), ("2", False), ("3", True)):
            db.execute(sa.insert(tables.model_metadata), model(version, active))
    with pytest.raises(sa.exc.IntegrityError), session(store) as db:
        db.execute(sa.insert(tables.model_metadata), model("4", True))


def test_defaults_are_the_promised_ones(store):
    fill(store)
    with session(store, read_only=True) as db:
        student = db.execute(sa.select(tables.students)).one()
        prediction = db.execute(sa.select(tables.predictions)).one()
    assert student.student_metadata == {} and prediction.risk_factors == []
    assert abs(student.enrollment_date - date.today()) <= timedelta(1)
    assert student.created_at is not None and prediction.prediction_date is not None


# --- sessions --------------------------------------------------------------------------------------------------------


def test_a_reader_does_not_wait_for_a_writer_and_sees_nothing_half_done(store):
    with session(store) as writer:
        writer.execute(sa.insert(tables.students), student_row())
        assert count(store, "students") == 0
    assert count(store, "students") == 1


def test_writers_take_turns(store):
    def write(first: int) -> None:
        for number in range(first, first + 20):
            with session(store) as db:
                db.scalar(sa.select(sa.func.count()).select_from(tables.students))
                db.execute(sa.insert(tables.students), student_row(f"D-{number}"))

    threads = [threading.Thread(target=write, args=(first,)) for first in (0, 100, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count(store, "students") == 60


def test_a_session_that_only_reads_cannot_write_on_postgresql(store):
    if store.dialect.name == "sqlite":
        pytest.skip("SQLite has no read-only transactions")
    with pytest.raises(sa.exc.DBAPIError), session(store, read_only=True) as db:
        db.execute(sa.insert(tables.students), student_row())


# --- migrations ------------------------------------------------------------------------------------------------------


def test_migrating_twice_changes_nothing(empty_store):
    assert store_state(empty_store).state == "empty"
    assert migrate(empty_store) == known_revisions()[0]
    fill(empty_store)
    before = store_state(empty_store)
    assert migrate(empty_store) == known_revisions()[0]
    assert (
        store_state(empty_store) == before
        and before.state == "current"
        and count(empty_store, "students") == 1
    )


def test_processes_may_migrate_at_once(empty_store):
    url = empty_store.url.render_as_string(hide_password=False)
    empty_store.dispose()  # SQLite's may not be open in a fork
    running = [Forked(lambda: print(migrate(connect(url)))) for _ in range(2)]
    said = [process.communicate(timeout=120) for process in running]
    assert [process.returncode for process in running] == [0, 0], said
    assert {out.decode().strip() for out, _ in said} == {known_revisions()[0]}
    assert store_state(empty_store).state == "current"


def test_a_migration_that_fails_leaves_the_store_as_it_was(empty_store, monkeypatch):
    def broken(connection):
        raise sa.exc.OperationalError("create view", {}, Exception("disk is full"))

    monkeypatch.setattr("edupulse.store.migrate.make_summary", broken)
    with pytest.raises(RuntimeError, match="nothing was changed: disk is full"):
        migrate(empty_store)
    monkeypatch.undo()
    assert store_state(empty_store).state == "empty"
    migrate(empty_store)


def test_changing_a_table_keeps_what_refers_to_it(store):
    fill(store)
    with migration(store) as connection:
        operations = Operations(MigrationContext.configure(connection))
        connection.execute(sa.text("drop " + ("view" if store.dialect.name == "sqlite" else "materialized view")
                                   + " student_risk_summary"))  # fmt: skip
        with operations.batch_alter_table("students") as students:
            students.alter_column("parent_contact", type_=sa.String(300))
    assert [name for name in rows_about() if count(store, name) != 1] == []
    with session(store) as db:
        db.execute(sa.delete(tables.students))
    assert count(store, "attendance_records") == 0  # foreign keys are on again


def test_a_newer_store_is_refused_in_one_line(store):
    with session(store) as db:
        db.execute(sa.text("update alembic_version set version_num = '9999'"))
    with pytest.raises(RuntimeError, match="upgrade EduPulse") as refused:
        migrate(store)
    assert "\n" not in str(refused.value) and store_state(store).state == "newer"


def test_tables_of_somebody_else_are_refused(empty_store):
    with session(empty_store) as db:
        db.execute(sa.text("create table students (name varchar(10))"))
    with pytest.raises(RuntimeError, match="1 tables named as EduPulse's"):
        migrate(empty_store)


def test_an_older_summary_is_made_anew(store):
    change = "drop view student_risk_summary"
    if store.dialect.name == "postgresql":
        change = "comment on materialized view student_risk_summary is 'an older one'"
    with session(store) as db:
        db.execute(sa.text(change))
    assert store_state(store).state == "behind"
    migrate(store)
    assert store_state(store).state == "current"


def test_timescaledb_is_used_only_where_it_is_offered(store):
    """Neither server the tests can start offers TimescaleDB, so this is the plain path; the other is in test_timescale."""
    state = store_state(store)
    if state.timescaledb != "not offered":
        pytest.skip(f"this server has TimescaleDB ({state.timescaledb}); the plain path is tested elsewhere")
    assert "student_features" in sa.inspect(store).get_table_names()


# --- being told ------------------------------------------------------------------------------------------------------


def test_an_unreachable_server_is_one_line_without_the_password():
    with pytest.raises(ConnectionError) as refused:
        connect("postgresql+psycopg://clerk:hunter2@127.0.0.1:1/edupulse")
    assert "hunter2" not in str(refused.value) and "\n" not in str(refused.value)


def test_a_server_that_was_restarted_is_reached_again_and_one_that_is_down_is_a_line():
    if not candidate_folders():
        pytest.skip("NOT TESTED ON POSTGRESQL: no server here")
    with running_server() as server:
        engine = connect(server.url)
        server.stop("immediate")
        with pytest.raises(ConnectionError, match="cannot open the PostgreSQL database"):
            session(engine).__enter__()
        server.start()
        for _ in range(2):  # connections that died in the pool, and the ones made after them
            with session(engine) as db:
                assert db.scalar(sa.select(1)) == 1
        server.stop("immediate")
        server.start()
        with session(engine) as db:
            assert db.scalar(sa.select(1)) == 1
        engine.dispose()


def test_an_unusable_file_is_one_line(tmp_path):
    (tmp_path / "store.db").write_bytes(b"this is not a database, it is a letter" * 50)
    with pytest.raises(ConnectionError) as refused:
        connect(f"sqlite:///{tmp_path / 'store.db'}")
    assert "store.db" in str(refused.value) and "\n" not in str(refused.value)


# --- summary and queries ---------------------------------------------------------------------------------------------


def test_the_summary_holds_each_students_latest_prediction(store):
    with session(store) as db:
        for key in ("A", "B", "C"):
            db.execute(sa.insert(tables.students), student_row(key, first_name="Ada", grade_level=10))
        for key, day, risk in (("A", 0, 0.9), ("A", 7, 0.2), ("B", 7, 0.8)):
            as_of = DAY + timedelta(day)
            db.execute(sa.insert(tables.predictions), prediction_row(key, as_of, risk_score=risk))
        newer = {"id": natural_id("x", 1), "model_version": "2", "prediction_date": datetime(2099, 1, 1)}
        db.execute(
            sa.insert(tables.predictions), prediction_row("B", DAY + timedelta(7), risk_score=0.3, **newer)
        )
    refresh_summary(store)
    refresh_summary(store)
    with session(store, read_only=True) as db:
        rows = db.execute(sa.select(tables.student_risk_summary)).all()
    latest = {row.district_id: (round(row.risk_score, 3), row.as_of, row.model_version) for row in rows}
    assert latest == {"A": (0.2, DAY + timedelta(7), "1"), "B": (0.3, DAY + timedelta(7), "2")}
    assert rows[0].first_name == "Ada" and rows[0].grade_level == 10


def test_students_at_risk_come_by_falling_score(store):
    with session(store) as db:
        for number, category in enumerate(("low", "critical", "high", "critical")):
            db.execute(sa.insert(tables.students), student_row(f"D-{number}"))
            risk = {"risk_score": [0.1, 0.7, 0.6, 0.9][number], "risk_category": category}
            db.execute(sa.insert(tables.predictions), prediction_row(f"D-{number}", **risk))
    refresh_summary(store)
    assert students_at_risk(store)["district_id"].tolist() == ["D-3", "D-1", "D-2"]


def attendance_week(engine: sa.Engine, only_absences: bool) -> list:
    """Two grade levels, a school with periods, a late entry, a day that was not submitted, a corrected record."""
    with session(engine) as db:
        db.execute(sa.insert(tables.schools), {"school_id": "north", "periods_per_day": 4})
        for number in range(7):
            day = DAY + timedelta(number)
            row = {"school_id": "north", "date": day, "school_year": 2023}
            row["day_type"] = "instructional" if number < 5 else "closed"
            row["submitted_at"] = datetime.combine(day, datetime.min.time()) if number < 4 else None
            db.execute(sa.insert(tables.school_calendar), row)
        for key, grade, entry in (("A", 9, DAY), ("B", 10, DAY + timedelta(2))):
            db.execute(sa.insert(tables.students), student_row(key))
            stay = {**rows_about(key)["enrollments"], "grade_level": grade, "entry_date": entry}
            db.execute(sa.insert(tables.enrollments), stay)
        missed = {("A", 0, 1), ("A", 0, 2), ("B", 2, 1), ("B", 2, 2), ("B", 2, 3), ("B", 2, 4)}
        for key, first in (("A", 0), ("B", 2)):
            for number in range(first, 4):
                for period in range(1, 5):
                    absent = (key, number, period) in missed
                    record = {
                        **rows_about(key)["attendance_records"],
                        "date": DAY + timedelta(number),
                        "period": period,
                    }
                    record["status"] = "absent" if absent else "present"
                    if absent or not only_absences:
                        db.execute(sa.insert(tables.attendance_records), record)
        wrong = {**rows_about("A")["attendance_records"], "date": DAY + timedelta(1), "period": 1}
        db.execute(sa.insert(tables.attendance_records), {**wrong, "superseded_at": MOMENT})
    answer = weekly_attendance(engine, as_of=DAY + timedelta(7))
    assert answer["week_start"].dt.date.unique().tolist() == [DAY]
    return answer[["grade_level", "student_days", "attendance_rate"]].values.tolist()


@pytest.mark.parametrize("only_absences", [True, False])
def test_weekly_attendance_is_the_same_for_exports_of_absences_and_of_all_days(store, only_absences):
    assert attendance_week(store, only_absences) == [
        [9, 4, pytest.approx(1 - 0.5 / 4)],
        [10, 2, pytest.approx(0.5)],
    ]


def test_feedback_is_counted_by_model(store):
    fill(store)
    with session(store) as db:
        for number, kind in enumerate(("true_positive", "false_positive", "true_positive")):
            row = {"id": natural_id("training_feedback", number), "feedback_type": kind}
            row["prediction_id"] = natural_id("predictions", "D-1", DAY)
            db.execute(sa.insert(tables.training_feedback), row)
        old = {**row, "id": natural_id("training_feedback", "old"), "created_at": datetime(2000, 1, 1)}
        db.execute(sa.insert(tables.training_feedback), old)
    answer = feedback_by_model(store, as_of=date.today() + timedelta(2)).iloc[0]
    assert (answer["feedback"], answer["true_positive"], answer["false_positive"]) == (4, 3, 1)
    assert answer["mean_risk"] == 0.5


# --- identities ------------------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\x00"), max_size=30)


@settings(max_examples=200, deadline=None)
@given(table=st.sampled_from(sorted(tables.metadata.tables)), keys=st.lists(TEXT, min_size=1, max_size=4))
def test_python_and_duckdb_give_the_same_identity(table, keys):
    places = ", ".join("?" for _ in keys)
    statement = f"select cast(md5(concat_ws(chr(31), ?, {places})) as uuid)"
    assert duckdb.execute(statement, [f"edupulse:{table}", *keys]).fetchone()[0] == natural_id(table, *keys)


@given(day=st.dates(date(1, 1, 1), date(9999, 12, 31)), number=st.integers(-(2**31), 2**31 - 1))
@settings(max_examples=50, deadline=None)
def test_dates_and_numbers_name_the_same_row_in_python_and_duckdb(day, number):
    statement = "select cast(md5(concat_ws(chr(31), 'edupulse:grades', ?::date, ?::integer)) as uuid)"
    assert duckdb.execute(statement, [day, number]).fetchone()[0] == natural_id("grades", day, number)


def test_a_missing_server_is_a_failure_where_one_is_required(tmp_path):
    for required, ends in (("1", 1), ("", 0)):
        missing = {"EDUPULSE_TEST_POSTGRES_BIN": str(tmp_path), "EDUPULSE_REQUIRE_POSTGRESQL": required}
        done = asked_alone("postgresql", tmp_path, **missing)
        assert done.returncode == ends and "no PostgreSQL server here" in done.stdout, done.stdout
