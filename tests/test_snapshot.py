"""The snapshot on both databases: what goes in, what never does, and that no kill or race leaves half of one."""

import signal
import sqlite3
import subprocess
import sys
import time
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from forks import Forked

import edupulse.store.extract as extract_module
import edupulse.store.snapshot as snapshot_module
from edupulse.store import tables
from edupulse.store.bulk import SqliteBulk
from edupulse.store.engine import connect, session
from edupulse.store.extract import RELATIONS
from edupulse.store.migrate import migrate
from edupulse.store.snapshot import open_snapshot, refresh
from edupulse.store.tables import natural_id

START = date(2023, 5, 1)  # the days below run over the first of July

TYPES = {
    "students": "INTEGER UUID VARCHAR INTEGER VARCHAR VARCHAR",
    "schools": "SMALLINT VARCHAR INTEGER INTEGER DATE",
    "calendar": "SMALLINT DATE INTEGER VARCHAR TIMESTAMP",
    "enrollments": "INTEGER SMALLINT INTEGER INTEGER DATE DATE VARCHAR TIMESTAMP TIMESTAMP TIMESTAMP",
    "attendance": "INTEGER DATE SMALLINT VARCHAR TIMESTAMP TIMESTAMP",
    "grades": "INTEGER VARCHAR VARCHAR FLOAT DATE DATE FLOAT VARCHAR TIMESTAMP TIMESTAMP",
    "incidents": "INTEGER DATE SMALLINT VARCHAR VARCHAR TIMESTAMP TIMESTAMP",
    "feedback": "INTEGER DATE VARCHAR VARCHAR DATE TIMESTAMP",
    "interventions": "INTEGER DATE INTEGER VARCHAR TIMESTAMP TIMESTAMP",
}
SECRETS = {
    "first_name": "Zerbinetta",
    "last_name": "Quirrenbach",
    "gender": "Xx",
    "ethnicity": "Atlantean",
    "socioeconomic_status": "free meals",
    "parent_contact": "zq@example.org",
    "date_of_birth": date(1999, 12, 31),
}


def district_rows(students: int = 3, days: int = 90) -> dict[str, list[dict]]:
    """A district that has a value and a null in every column that may be null, the values late in the table."""
    keys = [f"D-{number:02}" for number in range(students)]
    last = keys[-1]
    known = {"recorded_at": datetime(2023, 5, 1, 16, 30, 1, 250_000)}
    rows = {
        name: [] for name in ("students", "schools", "school_calendar", "enrollments", "attendance_records")
    }
    rows |= {"grades": [], "discipline_incidents": []}
    full = {"school_id": "south", "periods_per_day": 4, "week_starts_on": 3, "submitted_through": START}
    rows["schools"] = [{"school_id": "north"} | dict.fromkeys(("periods_per_day", "submitted_through")), full]
    rows["schools"][0]["week_starts_on"] = 1
    for number in range(days):
        day = {
            "school_id": "north",
            "date": START + timedelta(number),
            "school_year": 2022,
            "day_type": "instructional",
        }
        rows["school_calendar"].append({**day, "submitted_at": None if number else datetime(2023, 5, 2)})
    for key in keys:
        student, rich = {"student_id": natural_id("students", key)}, key == last
        person = {"person": "p-7", "module": "Über", "credits": 1.5} if rich else {}
        rows["students"].append(
            {"id": student["student_id"], "district_id": key, "grade_level": 9 if rich else None, **SECRETS}
            | {"student_metadata": person}
        )
        stay = {
            "id": natural_id("enrollments", key),
            "school_id": "north",
            "school_year": 2022,
            **student,
            **known,
        }
        leaves = {"exit_date": START + timedelta(9), "exit_reason": "dropout", "grade_level": 10}
        leaves |= {"exit_recorded_at": datetime(2023, 6, 1), "superseded_at": datetime(2023, 7, 1)}
        rows["enrollments"].append(
            {**stay, "entry_date": START} | (leaves if rich else dict.fromkeys(leaves))
        )
        for number in range(days):
            day = START + timedelta(number)
            late = rich and number == days - 1
            record = {**student, **known, "date": day, "status": "tardy" if late else "present"}
            closed = datetime(2023, 9, 1, 0, 0, 0, 1) if late else None
            rows["attendance_records"].append(
                {**record, "period": 3 if late else None, "superseded_at": closed}
            )
            grade = {
                **student,
                **known,
                "id": natural_id("grades", key, day),
                "course_id": "MATH",
                "submission_date": day,
            }
            rest = {
                "assignment": "essay",
                "grade_value": 87.35,
                "due_date": day,
                "weight": 0.1,
                "assignment_type": "test",
            }
            rest["superseded_at"] = closed
            rows["grades"].append(grade | (rest if late else dict.fromkeys(rest)))
        incident = {**student, **known, "id": natural_id("incidents", key), "incident_date": START}
        rest = {
            "severity_level": 4,
            "incident_type": "fight",
            "resolution": "talk",
            "superseded_at": known["recorded_at"],
        }
        rows["discipline_incidents"].append(incident | (rest if rich else dict.fromkeys(rest)))
    return rows


def fill(engine: sa.Engine, backwards: bool = False, **size: int) -> None:
    with session(engine) as db:
        for name, rows in district_rows(**size).items():
            db.execute(sa.insert(tables.metadata.tables[name]), rows[::-1] if backwards else rows)


@pytest.fixture
def reference(migrated_sqlite, tmp_path):
    """The fingerprint of the same district, filled backwards into an SQLite file."""
    engine = connect(f"sqlite:///{tmp_path / 'reference.db'}")
    migrate(engine)
    fill(engine, backwards=True)
    yield refresh(engine, tmp_path / "reference", progress=False).fingerprint
    engine.dispose()


def contents(snapshot) -> dict[str, list]:
    with snapshot.connect(threads=1) as db:
        return {name: db.table(name).order("all").fetchall() for name in RELATIONS}


# --- what goes in ----------------------------------------------------------------------------------------------------


def test_values_arrive_as_they_were_with_their_types(store, tmp_path):
    fill(store)
    made = refresh(store, tmp_path / "snapshot", progress=False)
    with made.connect(threads=1) as db:
        assert {name: " ".join(map(str, db.table(name).types)) for name in RELATIONS} == TYPES
    rows = contents(made)
    assert len(rows["attendance"]) == 270 == made.rows["attendance"]
    last = START + timedelta(89)
    recorded, closed = datetime(2023, 5, 1, 16, 30, 1, 250_000), datetime(2023, 9, 1, 0, 0, 0, 1)
    assert (3, last, 3, "tardy", recorded, closed) in rows["attendance"]
    assert (1, last, None, "present", recorded, None) in rows["attendance"]
    assert rows["schools"] == [(1, "north", None, 1, None), (2, "south", 4, 3, START)]
    leaver = rows["enrollments"][-1]
    assert leaver[3:7] == (10, START, START + timedelta(9), "dropout") and rows["enrollments"][0][5] is None
    graded = [row for row in rows["grades"] if row[3] is not None]
    assert graded == [
        (3, "MATH", "essay", pytest.approx(87.35), last, last, pytest.approx(0.1), "test", recorded, closed)
    ]
    assert rows["incidents"][-1][1:5] == (START, 4, "fight", "talk") and rows["incidents"][0][2] is None
    assert [row[4] for row in rows["students"]] == ["D-00", "D-01", "p-7"]


def test_a_column_that_begins_with_thousands_of_nulls_is_read(store, tmp_path):
    fill(store, students=60, days=60)
    made = refresh(store, tmp_path / "snapshot", progress=False)
    with made.connect(threads=1) as db:
        counted = db.sql("select count(*), count(period), count(superseded_at) from attendance").fetchall()
        graded = db.sql("select count(*), count(grade_value), count(assignment) from grades").fetchall()
    assert counted == graded == [(3600, 1, 1)]


def test_equal_data_have_equal_fingerprints_whatever_the_database_and_the_order(store, reference, tmp_path):
    fill(store)
    made = refresh(store, tmp_path / "snapshot", progress=False)
    assert made.fingerprint == reference
    with session(store) as db:
        db.execute(sa.update(tables.grades).where(tables.grades.c.weight.is_not(None)).values(weight=0.2))
    assert refresh(store, tmp_path / "snapshot", progress=False, force=True).fingerprint != reference


def test_a_change_of_metadata_changes_the_fingerprint(store, reference, tmp_path):
    fill(store)
    with session(store) as db:
        changed = sa.update(tables.students).where(tables.students.c.district_id == "D-02")
        db.execute(changed.values(student_metadata={"person": "p-7", "module": "Über", "credits": 2.5}))
    assert refresh(store, tmp_path / "snapshot", progress=False).fingerprint != reference


def test_no_name_and_no_protected_attribute_goes_in(store, tmp_path):
    fill(store)
    made = refresh(store, tmp_path / "snapshot", progress=False)
    everything = repr(contents(made)) + "".join(str(file) for file in made.path.rglob("*"))
    assert not [name for name, value in SECRETS.items() if str(value) in everything]
    with made.connect(threads=1) as db:
        assert not set(SECRETS) & {column for name in RELATIONS for column in db.table(name).columns}


def test_files_are_sorted_and_cut_by_school_year(store, tmp_path):
    fill(store)
    made = refresh(store, tmp_path / "snapshot", progress=False)
    years = sorted(folder.name for folder in (made.path / "attendance").iterdir())
    assert years == ["school_year=2022", "school_year=2023"]
    with made.connect(threads=1) as db:
        for year, first, last in (
            (2022, START, date(2023, 6, 30)),
            (2023, date(2023, 7, 1), START + timedelta(89)),
        ):
            rows = db.read_parquet(str(made.path / f"attendance/school_year={year}/part.parquet")).fetchall()
            assert rows == sorted(rows, key=lambda row: (row[0], row[1]))
            assert min(row[1] for row in rows) == first and max(row[1] for row in rows) == last


def test_an_empty_store_gives_empty_views(store, tmp_path):
    made = refresh(store, tmp_path / "snapshot", progress=False)
    assert set(made.rows.values()) == {0} and set(map(tuple, contents(made).values())) == {()}
    with made.connect() as db:
        assert {name: " ".join(map(str, db.table(name).types)) for name in RELATIONS} == TYPES


def test_a_store_without_tables_is_refused_in_one_line(empty_store, tmp_path):
    with pytest.raises(RuntimeError, match="edupulse init"):
        refresh(empty_store, tmp_path / "snapshot", progress=False)


# --- refreshing ------------------------------------------------------------------------------------------------------


def test_nothing_new_returns_without_reading(store, tmp_path, monkeypatch):
    fill(store)
    made = refresh(store, tmp_path / "snapshot", progress=False)

    def fail(*arguments):
        raise AssertionError("the store was read again")

    monkeypatch.setattr(snapshot_module, "build", fail)
    assert refresh(store, tmp_path / "snapshot", progress=False) == made
    with pytest.raises(AssertionError):
        refresh(store, tmp_path / "snapshot", progress=False, force=True)
    assert open_snapshot(tmp_path / "snapshot") == made


@pytest.mark.parametrize("change", ["an import", "a new row", "a correction"])
def test_a_change_is_noticed(store, tmp_path, change):
    fill(store)
    made = refresh(store, tmp_path / "snapshot", progress=False)
    with session(store) as db:
        if change == "an import":
            row = {"id": natural_id("imports", 1), "source": "csv", "state": "finished"}
            db.execute(
                sa.insert(tables.historical_data_imports), {**row, "finished_at": datetime(2024, 1, 1)}
            )
        elif change == "a new row":
            db.execute(sa.insert(tables.schools), {"school_id": "west"})
        else:
            first = tables.grades.c.id == natural_id("grades", "D-00", START)
            db.execute(sa.update(tables.grades).where(first).values(superseded_at=datetime(2023, 6, 1)))
    again = refresh(store, tmp_path / "snapshot", progress=False)
    assert again.path != made.path and (again.fingerprint == made.fingerprint) == (change == "an import")


def test_the_snapshot_is_the_store_at_one_moment(store, tmp_path, monkeypatch):
    fill(store)
    stage = extract_module.stage

    def stage_while_an_import_lands(work, cursor, dialect, name, bar):
        stage(work, cursor, dialect, name, bar)
        if name == "students":
            with session(store) as db:
                late = {
                    "student_id": natural_id("students", "D-00"),
                    "date": date(2024, 1, 8),
                    "status": "absent",
                }
                db.execute(
                    sa.insert(tables.attendance_records), {**late, "recorded_at": datetime(2024, 1, 8)}
                )

    monkeypatch.setattr(extract_module, "stage", stage_while_an_import_lands)
    assert refresh(store, tmp_path / "snapshot", progress=False).rows["attendance"] == 270
    monkeypatch.undo()
    assert refresh(store, tmp_path / "snapshot", progress=False).rows["attendance"] == 271


def test_a_deleted_or_damaged_snapshot_is_found_and_made_again(store, tmp_path):
    fill(store)
    folder = tmp_path / "snapshot"
    made = refresh(store, folder, progress=False)
    file = made.path / "grades" / "school_year=2022" / "part.parquet"
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(RuntimeError, match="grades/school_year=2022/part.parquet"):
        open_snapshot(folder)
    assert refresh(store, folder, progress=False).fingerprint == made.fingerprint
    (folder / "manifest.json").write_text("{")
    with pytest.raises(RuntimeError, match="damaged"):
        open_snapshot(folder)
    assert refresh(store, folder, progress=False).fingerprint == made.fingerprint


# --- kills and races -------------------------------------------------------------------------------------------------


def begin_refresh(store, folder, seconds):
    """A refresh in a process of its own, which waits for so long when it is half done."""
    url = store.url.render_as_string(hide_password=False)

    def refreshed():
        write = extract_module.write_relation

        def slowly(work, name, folder):
            write(work, name, folder)
            if name == "attendance":
                print("half done", flush=True)
                time.sleep(seconds)

        extract_module.write_relation = slowly
        refresh(connect(url), folder, progress=False, force=True)

    store.dispose()
    return Forked(refreshed)


def test_a_kill_leaves_the_snapshot_before_and_nothing_half_done(store, tmp_path):
    fill(store)
    folder = tmp_path / "snapshot"
    made = refresh(store, folder, progress=False)
    process = begin_refresh(store, folder, 60)
    process.wait_for(b"half done")
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert open_snapshot(folder) == made and len(list(folder.glob("building-*"))) == 1
    assert contents(made)["attendance"]
    again = refresh(store, folder, progress=False, force=True)
    assert again.fingerprint == made.fingerprint and not list(folder.glob("building-*"))


def test_the_snapshot_before_stays_for_its_readers_and_older_ones_go(store, tmp_path):
    fill(store)
    folder = tmp_path / "snapshot"
    made = [refresh(store, folder, progress=False, force=True) for _ in range(4)]
    assert contents(made[2]) == contents(made[3])
    assert {path.name for path in folder.glob("data-*")} == {made[2].path.name, made[3].path.name}


def test_two_refreshes_at_once_both_end_well(store, tmp_path):
    fill(store)
    folder = tmp_path / "snapshot"
    running = [begin_refresh(store, folder, 0.2) for _ in range(2)]
    said = [process.communicate(timeout=120) for process in running]
    assert [process.returncode for process in running] == [0, 0], said
    assert len(contents(open_snapshot(folder))["attendance"]) == 270


def test_progress_goes_to_stderr_and_only_when_it_takes_long(store, tmp_path, capfd):
    fill(store)
    refresh(store, tmp_path / "snapshot")
    assert capfd.readouterr() == ("", "")


def test_a_commit_after_a_bulk_read_is_there_for_every_process(store, tmp_path):
    """Two SQLite libraries in one process would delete each other's log, and lose what is committed afterwards."""
    fill(store)
    refresh(store, tmp_path / "snapshot", progress=False)
    with session(store) as db:
        db.execute(sa.insert(tables.schools), {"school_id": "west"})
    code = "import sys; from edupulse.store.engine import connect; "
    code += "print(connect(sys.argv[1]).connect().exec_driver_sql('select count(*) from schools').scalar())"
    url = store.url.render_as_string(hide_password=False)
    assert subprocess.check_output([sys.executable, "-c", code, url], text=True).strip() == "3"


def test_only_the_child_process_uses_the_second_sqlite_library():
    package = Path(snapshot_module.__file__).parents[1]
    users = [
        str(file.relative_to(package))
        for file in package.rglob("*.py")
        if "adbc_driver_sqlite" in file.read_text()
    ]
    assert users == ["ingest/sqlite.py", "store/bulk.py"]


def test_a_child_that_dies_half_way_is_an_error_and_not_a_short_answer(tmp_path):
    file = tmp_path / "numbers.db"
    with sqlite3.connect(file) as db:
        db.execute("create table numbers (n)")
        db.executemany("insert into numbers values (?)", ((number,) for number in range(500_000)))
    with SqliteBulk(str(file)) as bulk, bulk.cursor() as cursor:
        cursor.execute("select n from numbers")
        bulk.process.kill()
        with pytest.raises((RuntimeError, OSError)):
            cursor.fetch_arrow_table()
