"""What no single notebook can show of the ingest: any file, a killed import, both databases, several nights."""

import csv
import gzip
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from datetime import date, datetime
from pathlib import Path

import duckdb
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from edupulse.faces.import_tables import import_table
from edupulse.ingest.contract import CODES, CONTRACTS, Mapping, read_mapping
from edupulse.ingest.files import as_utf8, line_numbers, survey
from edupulse.ingest.load import ingest_folder
from edupulse.ingest.read import Source, load_text, read_source, workbench
from edupulse.ingest.write import Rows, append_and_index, open_writer
from edupulse.resources import resource
from edupulse.store.engine import session
from edupulse.store.tables import metadata, students

SAMPLE = resource("data/samples/district")
NOW = datetime(2023, 10, 2, 3, 0)
TABLES = [contract.table for contract in CONTRACTS.values()]
QUICK = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def counts(engine) -> dict[str, int]:
    with session(engine, read_only=True) as db:
        return {table: db.execute(sa.text(f"select count(*) from {table}")).scalar() for table in TABLES}


def ask(engine, question: str) -> list[tuple]:
    with session(engine, read_only=True) as db:
        return [tuple(row) for row in db.execute(sa.text(question))]


def copy_of(folder: Path, **changed: str) -> Path:
    """The sample district with some files replaced; None takes one out."""
    shutil.copytree(SAMPLE, folder)
    for name, text in changed.items():
        file = folder / f"{name}.csv"
        file.unlink() if text is None else file.write_text(text, encoding="utf-8")
    return folder


# ---- several nights, on both databases -------------------------------------------------------------------------------


def test_the_same_folder_twice_changes_nothing(store):
    first = ingest_folder(SAMPLE, store, imported_at=NOW)
    before = counts(store)
    again = ingest_folder(SAMPLE, store, imported_at=NOW.replace(day=3))
    assert not first.failed and first.changed == sum(before.values()) == first.total("rows_read")
    assert again.changed == 0 and counts(store) == before
    assert "unchanged" in again.lines()[-1]
    row = re.findall(r"<td[^>]*>([^<]*)</td>", str(import_table(store)))[-5:]
    rows = f"{first.changed:,}"
    assert row == [rows, rows, "0", rows, rows], "read, accepted, quarantined, records, already there"


def test_a_dry_run_says_what_would_happen_and_writes_nothing(store):
    dry = ingest_folder(SAMPLE, store, dry_run=True)
    assert dry.changed == dry.total("rows_read") > 0 and not any(counts(store).values())
    assert ask(store, "select count(*) from historical_data_imports") == [(0,)]
    assert ingest_folder(SAMPLE, store).changed == dry.changed


def test_the_import_row_adds_up(store, tmp_path):
    rows = "district_id,date,status\nD-001,2023-09-06,absent\nD-001,2023-09-06,absent\nD-001,6.9.,absent\n"
    ingest_folder(copy_of(tmp_path / "x", attendance=rows), store)
    question = "select rows_read, rows_accepted, rows_quarantined, rows_duplicate, state, file_name from historical_data_imports"
    ((read, accepted, quarantined, duplicates, state, name),) = ask(store, question)
    assert read == accepted + quarantined and (quarantined, duplicates, state, name) == (
        1,
        1,
        "finished",
        "x",
    )
    assert ask(store, "select file, row_number, column_name, reason, value from import_rejects") == [
        ("attendance.csv", 4, "date", "invalid_date", "6.9.")
    ]


def test_corrections_keep_both_versions(store, tmp_path):
    header = "district_id,date,status,recorded_at,superseded_at\n"
    nights = [
        "D-001,2023-09-06,absent,2023-09-06 15:00:00,\n",
        "D-001,2023-09-06,absent,2023-09-06 15:00:00,2023-09-08 09:00:00\n"
        "D-001,2023-09-06,excused,2023-09-08 09:00:00,\n",
        "D-001,2023-09-06,tardy,,\n",
    ]
    actions = []
    for number, rows in enumerate(nights):
        folder = copy_of(tmp_path / str(number), attendance=header + rows, grades=None, discipline=None)
        result = ingest_folder(folder, store, imported_at=NOW.replace(day=2 + number))
        actions.append(
            [
                (file.added, file.corrected, file.unchanged)
                for file in result.files
                if file.file == "attendance.csv"
            ]
        )
        assert ingest_folder(folder, store, imported_at=NOW.replace(day=20)).changed == 0
    assert actions == [[(1, 0, 0)], [(0, 2, 0)], [(0, 1, 0)]]
    question = "select status, cast(recorded_at as varchar), cast(superseded_at as varchar) from attendance_records order by 2"
    versions = [(status, begins[:16], ends and ends[:16]) for status, begins, ends in ask(store, question)]
    assert versions == [
        ("absent", "2023-09-06 15:00", "2023-09-08 09:00"),
        ("excused", "2023-09-08 09:00", "2023-10-04 03:00"),
        ("tardy", "2023-10-04 03:00", None),
    ]


def test_an_older_export_does_not_undo_a_newer_one(store, tmp_path):
    header = "district_id,date,status,recorded_at\n"
    old = copy_of(tmp_path / "old", attendance=header + "D-001,2023-09-06,absent,2023-09-06 15:00:00\n")
    new = copy_of(tmp_path / "new", attendance=header + "D-001,2023-09-06,excused,2023-09-08 09:00:00\n")
    for folder in (old, new):
        assert ingest_folder(folder, store).changed > 0
    assert ingest_folder(old, store).changed == 0
    assert ask(store, "select status from attendance_records where superseded_at is null") == [("excused",)]


def test_rows_missing_from_a_newer_export_stay(store, tmp_path):
    ingest_folder(SAMPLE, store)
    before = counts(store)
    lines = (SAMPLE / "attendance.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    assert ingest_folder(copy_of(tmp_path / "x", attendance="".join(lines[:5])), store).changed == 0
    assert counts(store) == before


def test_an_exit_completes_its_stay_and_a_new_one_corrects_it(store, tmp_path):
    text = (SAMPLE / "enrollments.csv").read_text(encoding="utf-8")
    stay = "D-001,north,2023,9,2023-09-05,,,2023-08-28,,"
    left = text.replace(stay, "D-001,north,2023,9,2023-09-05,2023-09-26,dropout,2023-08-28,2023-09-29,")
    moved = text.replace(
        stay, "D-001,north,2023,9,2023-09-05,2023-09-26,transfer_verified,2023-08-28,2023-09-29,"
    )
    question = """
        select exit_reason, superseded_at is null from enrollments join students on students.id = student_id
        where district_id = 'D-001' order by superseded_at is null
    """
    ingest_folder(SAMPLE, store, imported_at=NOW)
    result = ingest_folder(
        copy_of(tmp_path / "left", enrollments=left), store, imported_at=NOW.replace(day=3)
    )
    assert result.changed == 1 and [reason for reason, _ in ask(store, question)] == ["dropout"]
    result = ingest_folder(
        copy_of(tmp_path / "moved", enrollments=moved), store, imported_at=NOW.replace(day=4)
    )
    assert result.changed == 1
    assert [(reason, bool(current)) for reason, current in ask(store, question)] == [
        ("dropout", False),
        ("transfer_verified", True),
    ]


def test_students_schools_and_days_are_overwritten(store, tmp_path):
    ingest_folder(SAMPLE, store)
    changes = {}
    for name, old, new in (
        ("students", "D-003,Cleo,Calder,10", "D-003,Cleo,Calder,11"),
        ("schools", "South High,4", "South High,6"),
        ("calendar", "north,2023-09-06,2023,instructional", "north,2023-09-06,2023,closed"),
    ):
        text = (SAMPLE / f"{name}.csv").read_text(encoding="utf-8")
        assert old in text
        changes[name] = text.replace(old, new)
    folder = copy_of(tmp_path / "x", **changes)
    assert ingest_folder(folder, store).changed == 3
    assert ingest_folder(folder, store).changed == 0
    assert ask(store, "select grade_level from students where district_id = 'D-003'") == [(11,)]
    assert ask(store, "select periods_per_day from schools where school_id = 'south'") == [(6,)]


def test_a_district_in_its_own_words(store):
    folder = resource("data/samples/mapped")
    result = ingest_folder(folder, store, folder / "mapping.yaml")
    assert not result.failed and not result.total("quarantined")
    assert ask(store, "select name from schools") == [("Élan High",)]
    assert ask(store, "select grade_level from students where district_id = '7000'") == [(0,)]
    assert ask(store, "select severity_level from discipline_incidents") == [(3,)]


# ---- a column that is not in the file says nothing -------------------------------------------------------------------

FULL = {
    "schools": "school_id,name,periods_per_day,week_starts_on,submitted_through\nnorth,North,6,1,2023-09-29\n",
    "calendar": "school_id,date,school_year,day_type,submitted_at\n"
    "north,2023-09-05,2023,instructional,2023-09-05\nnorth,2023-09-06,2023,instructional,2023-09-07 01:00:00\n",
    "students": "district_id,first_name,last_name,grade_level,date_of_birth,gender,ethnicity,socioeconomic_status,"
    'parent_contact,enrollment_date,student_metadata\nD-1,Ada,Abel,9,2009-01-02,F,X,free,p@example.org,2023-09-05,"{""bus"": 7}"\n',
    "enrollments": "district_id,school_id,school_year,entry_date,grade_level,exit_date,exit_reason,exit_recorded_at,recorded_at\n"
    "D-1,north,2023,2023-09-05,9,2023-09-20,dropout,2023-09-25 08:00:00,2023-08-28\n",
    "attendance": "district_id,date,status,period\nD-1,2023-09-06,absent,2\n",
    "grades": "district_id,course_id,grade_value,submission_date,course_name,assignment,grade_letter,due_date,weight,assignment_type\n"
    "D-1,ALG,71.3,2023-09-06,Algebra,A-1,C,2023-09-05,0.1,test\n",
    "discipline": "district_id,incident_date,severity_level,incident_id,incident_type,description,resolution\n"
    "D-1,2023-09-06,2,7,noise,a bell,a talk\n",
    "staff": "username,role,display_name,school_id,is_active,email\nkai,counselor,Kai,north,no,kai@example.org\n",
    "caseloads": "username,district_id,start_date,end_date\nkai,D-1,2023-09-05,2023-09-29\n",
}  # fmt: skip
KEYS = ("period", "assignment", "incident_id")  # what a row is, and not what is said of it


def export_of(folder: Path, **changed: str) -> Path:
    """An export of one student, every column filled."""
    folder.mkdir()
    for name, text in (FULL | changed).items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


def without(text: str, *columns: str) -> str:
    """A file without some of its columns."""
    rows = list(csv.DictReader(io.StringIO(text)))
    out = io.StringIO()
    kept = [name for name in rows[0] if name not in columns]
    writer = csv.DictWriter(out, kept, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def everything(engine) -> dict[str, list]:
    """Every row of every table, but for the moments of the database itself."""
    own = ("created_at", "updated_at", "id")
    found = {}
    for table in TABLES:
        columns = [column for column in metadata.tables[table].c if column.name not in own]
        with session(engine, read_only=True) as db:
            found[table] = sorted(map(repr, db.execute(sa.select(*columns))))
    return found


def test_columns_that_an_export_leaves_out_stay_as_they_are_known(store, tmp_path):
    first = ingest_folder(export_of(tmp_path / "all"), store, imported_at=NOW)
    assert not first.failed and not first.total("quarantined") and first.changed == first.total("rows_read")
    before = everything(store)
    assert all(before.values()), "each table has a row, and every column of it a value"
    may_lack = {
        name: [each for each in CONTRACTS[name].optional if each not in (*KEYS, "recorded_at")]
        for name in FULL
    }
    may_lack["enrollments"].remove("exit_date")
    for number, part in enumerate((slice(0, None, 2), slice(1, None, 2))):
        left_out = {name: each[part] for name, each in may_lack.items()}
        if "exit_reason" in left_out["enrollments"]:  # a reason without its day would be a fault
            left_out["enrollments"].append("exit_date")
        lacking = {name: without(text, *left_out[name]) for name, text in FULL.items()}
        folder = export_of(tmp_path / str(number), **lacking)
        again = ingest_folder(folder, store, imported_at=NOW.replace(day=3))
        assert (again.changed, again.total("quarantined")) == (0, 0), again.summary()
    assert everything(store) == before


def test_an_empty_cell_empties_and_a_correction_keeps_what_it_does_not_speak_of(store, tmp_path):
    ingest_folder(export_of(tmp_path / "all"), store, imported_at=NOW)
    worse = without(FULL["discipline"], "description").replace("D-1,2023-09-06,2", "D-1,2023-09-06,4")
    ninth = without(FULL["enrollments"], "exit_recorded_at").replace("2023-09-05,9,", "2023-09-05,10,")
    empty = FULL["staff"].replace("kai@example.org", "").replace("Kai", "")
    folder = export_of(tmp_path / "b", discipline=worse, enrollments=ninth, staff=without(empty, "school_id"))
    assert ingest_folder(folder, store, imported_at=NOW.replace(day=3)).changed == 3
    assert ask(store, "select email, display_name, school_id from staff") == [(None, None, "north")]
    versions = "select severity_level, description, superseded_at is null from discipline_incidents order by recorded_at"
    assert [(*said, bool(now)) for *said, now in ask(store, versions)] == [
        (2, "a bell", False),
        (4, "a bell", True),
    ]
    stays = "select grade_level, cast(exit_recorded_at as varchar) from enrollments order by recorded_at"
    assert [(level, known[:16]) for level, known in ask(store, stays)] == [
        (9, "2023-09-25 08:00"),
        (10, "2023-09-25 08:00"),
    ]


def test_what_a_file_tells_of_the_past_is_not_completed_from_the_present(store, tmp_path):
    ingest_folder(export_of(tmp_path / "all"), store, imported_at=NOW)
    history = "district_id,incident_date,severity_level,incident_id,recorded_at,superseded_at\n"
    history += "D-1,2023-09-06,1,7,2023-09-05,2023-09-06\n"  # before anybody had written a line about it
    ingest_folder(export_of(tmp_path / "b", discipline=history), store, imported_at=NOW.replace(day=3))
    versions = "select severity_level, description from discipline_incidents order by recorded_at"
    assert ask(store, versions) == [(1, None), (2, "a bell")]
    gone = without(FULL["enrollments"], "exit_reason", "exit_recorded_at").replace("2023-09-20", "")
    result = ingest_folder(export_of(tmp_path / "c", enrollments=gone), store, imported_at=NOW.replace(day=4))
    assert result.changed == 1 and not result.total("quarantined")
    stay = "select exit_date, exit_reason, exit_recorded_at from enrollments where superseded_at is null"
    assert ask(store, stay) == [(None, None, None)]


# ---- what is wrong is said, and nothing of a row is in what is said --------------------------------------------------

WRONG = {
    "unknown column": ("attendance", "district_id,date,status,bus\nD-001,2023-09-06,absent,x\n", "'bus' is not known"),
    "bad date": ("attendance", "district_id,date,status\nD-001,2023-02-30,absent\n", "invalid_date"),
    "impossible grade": (
        "grades", "district_id,course_id,grade_value,submission_date\nD-001,ALG,101,2023-09-08\n", "impossible_grade",
    ),
    "another century": ("attendance", "district_id,date,status\nD-001,1900-01-01,absent\n", "date: outside_calendar"),
    "after the calendar": ("attendance", "district_id,date,status\nD-001,2024-09-06,absent\n", "date: outside_calendar"),
    "a ninety-ninth period": (
        "attendance", "district_id,date,period,status\nD-009,2023-09-06,99,absent\n", "period: impossible_period",
    ),
    "a grade of another century": (
        "grades", "district_id,course_id,grade_value,submission_date\nD-001,ALG,80,1900-01-01\n", "outside_calendar",
    ),
    "an incident of another century": (
        "discipline", "district_id,incident_date,severity_level\nD-001,1900-01-01,2\n", "outside_calendar",
    ),
    "unknown student": ("attendance", "district_id,date,status\nSECRET,2023-09-06,absent\n", "unknown_student"),
    "unknown code": ("attendance", "district_id,date,status\nD-001,2023-09-06,SECRET\n", "unknown_code"),
    "conflict": (
        "attendance", "district_id,date,status\nD-001,2023-09-06,absent\nD-001,2023-09-06,tardy\n",
        "district_id+date+period: conflicting_duplicate",
    ),
    "duplicate": ("attendance", "district_id,date,status\n" + "D-001,2023-09-06,absent\n" * 2, "1 repeated"),
    "too few fields": ("attendance", "district_id,date,status\nD-001,2023-09-06\n", "broken_row"),
    "missing column": ("attendance", "district_id,date\nSECRET,2023-09-06\n", "has no column status"),
    "no header": ("attendance", "SECRET,2023-09-06,absent\n", "is there a header"),
    "empty file": ("discipline", "", "is empty"),
    "severity": ("discipline", "district_id,incident_date,severity_level\nD-001,2023-09-06,9\n", "impossible_severity"),
    "missing file": ("discipline", None, "is not there; imported without it"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_each_fault_has_its_line_and_does_not_stop_the_rest(what, sqlite_store, tmp_path):
    name, text, expected = WRONG[what]
    result = ingest_folder(copy_of(tmp_path / "x", **{name: text}), sqlite_store)
    lines = [line for line in result.lines() if line.startswith(f"{name}.csv:")]
    assert any(expected in line for line in lines), lines
    assert result.exit_code == 0 and "SECRET" not in result.summary() + result.json()


def test_a_required_file_in_another_encoding_stops_the_import_and_names_it(sqlite_store, tmp_path):
    folder = copy_of(tmp_path / "x")
    students = (SAMPLE / "students.csv").read_text(encoding="utf-8")
    (folder / "students.csv").write_bytes(students.encode("latin-1"))
    result = ingest_folder(folder, sqlite_store)
    assert result.exit_code == 1 and not any(counts(sqlite_store).values())
    assert "students.csv is not UTF-8 but most likely cp1252" in result.lines()[-1]
    mended = ingest_folder(folder, sqlite_store, Mapping(encoding="cp1252"))
    assert not mended.failed and not mended.total("quarantined")
    (folder / "students.csv").write_bytes(
        students.encode("cp037")
    )  # a mainframe's, and no letter is where it was
    assert "students.csv" in ingest_folder(folder, sqlite_store).error


def test_a_single_damaged_row_costs_itself_and_nobody_else_is_blamed(sqlite_store, tmp_path):
    folder = copy_of(tmp_path / "x")
    lines = (SAMPLE / "students.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    accents = [n for n, line in enumerate(lines) if not line.isascii()]
    damaged = [line.encode("cp1252" if n == accents[0] else "utf-8") for n, line in enumerate(lines)]
    (folder / "students.csv").write_bytes(b"".join(damaged))
    result = ingest_folder(folder, sqlite_store)
    (students,) = (file for file in result.files if file.file == "students.csv")
    assert students.reasons == {"first_name:wrong_encoding": 1} and result.exit_code == 0
    assert students.first_lines == {"first_name:wrong_encoding": accents[0] + 1}
    assert students.rows_read == students.accepted + students.quarantined == 12
    rejects = "select row_number, column_name, reason, value from import_rejects where file = 'students.csv'"
    assert ask(sqlite_store, rejects) == [(accents[0] + 1, "first_name", "wrong_encoding", None)]
    (why,) = (line for line in result.lines() if "students.csv: 1 row could not be read" in line)
    assert "enrollments.csv" in why and "may hold" in why and not re.search(r"\b1 rows", result.summary())


IMPOSSIBLE = {  # file → rows that agree with its header, each with the column and the reason; imported on 2023-10-02
    "schools": [("far,Far,,1,2025-01-01", "submitted_through", "in_the_future")],
    "calendar": [
        ("north,2023-10-02,1950,open,", "school_year", "outside_school_year"),
        ("north,2026-09-05,2026,open,", "date", "in_the_future"),
        ("north,2023-10-02,2023,open,2023-10-05", "submitted_at", "in_the_future"),
    ],
    "students": [
        ("X-1,,,9,2040-01-01,,,,,,", "date_of_birth", "impossible_birth"),
        ("X-2,,,9,2021-12-31,,,,,,", "date_of_birth", "impossible_birth"),
        ("X-3,,,9,1901-01-01,,,,,,", "date_of_birth", "impossible_birth"),
        ("X-4,,,13,,,,,,,", "grade_level", "impossible_grade_level"),
        ("X-5,,,-1,,,,,,,", "grade_level", "impossible_grade_level"),
        ("X-6,,,9,,,,,,2025-09-01,", "enrollment_date", "in_the_future"),
    ],
    "enrollments": [
        ("D-001,north,2019,9,2023-09-05,,,,,", "school_year", "outside_school_year"),
        ("D-001,north,2025,9,2024-12-05,,,,,", "entry_date", "in_the_future"),
        ("D-001,north,2023,9,2023-09-05,2023-09-01,,,,", "exit_date", "exit_before_entry"),
        ("D-001,north,2023,9,2023-09-05,2029-09-01,,,,", "exit_date", "outside_school_year"),
        ("D-001,north,2023,9,2023-09-05,2023-09-29,,,2023-10-09,", "exit_recorded_at", "in_the_future"),
        ("D-001,north,2023,9,2023-09-05,,,2023-10-09,,", "recorded_at", "in_the_future"),
    ],
    "attendance": [
        ("D-009,2023-10-04,1,absent,,", "date", "in_the_future"),
        ("D-009,2023-09-06,0,absent,,", "period", "impossible_period"),
        ("D-001,2023-09-06,0,absent,,", "period", "impossible_period"),
        ("D-009,2023-09-06,1,absent,2023-09-06,2099-01-01", "superseded_at", "in_the_future"),
    ],
    "grades": [
        ("D-001,ALG,,F1,80,,2023-10-09,,,", "submission_date", "in_the_future"),
        ("D-001,ALG,,F2,80,,2023-09-09,1999-01-01,,", "due_date", "outside_calendar"),
        ("D-001,ALG,,F3,-1,,2023-09-09,,,", "grade_value", "impossible_grade"),
    ],
    "discipline": [
        ("D-001,F-1,2023-10-09,2,,,", "incident_date", "in_the_future"),
        ("D-001,F-2,2023-09-09,-2,,,", "severity_level", "impossible_severity"),
        ("D-001,F-3,2023-09-09,0,,,", "severity_level", "impossible_severity"),
    ],
}


def test_what_cannot_be_is_set_aside_and_what_is_only_early_is_not(store, tmp_path):
    early = {
        "calendar": "north,2024-06-14,2023,instructional,",
        "enrollments": "D-012,south,2024,12,2024-09-02,,,,,",
        "grades": "D-001,ALG,,LATER,,,2023-10-09,2023-10-09,,",  # due next week: no score yet
        "attendance": "D-012,2023-10-03,1,absent,,",  # a day is left to time zones
    }
    expected, texts = [], {}
    for name, rows in IMPOSSIBLE.items():
        lines = (SAMPLE / f"{name}.csv").read_text(encoding="utf-8").splitlines()
        expected += [(f"{name}.csv", n, *fault) for n, (_, *fault) in enumerate(rows, len(lines) + 1)]
        texts[name] = "\n".join([*lines, *(row for row, *_ in rows), *filter(None, [early.get(name)]), ""])
    result = ingest_folder(copy_of(tmp_path / "x", **texts), store, imported_at=NOW)
    question = "select file, row_number, column_name, reason from import_rejects order by row_number"
    assert sorted(ask(store, question)) == sorted(expected)
    assert result.total("accepted") == 255 + len(early) and result.exit_code == 0


HOSTILE = {  # file → rows, each with the column and the reason, or with none where the row is fine
    "schools": [("no\u200brth,North,,1,", "school_id", "invalid_character")],
    "students": [
        ('J-1,,,9,,,,,,,"{""a"": ""\\u0000""}"', "student_metadata", "invalid_character"),
        ('J-2,,,9,,,,,,,"{""a"": 1e5000}"', "student_metadata", "invalid_json"),
        (f'J-3,,,9,,,,,,,"{{""a"":{"[" * 800}{"]" * 800}}}"',),
        ("\u200bD-001,,,9,,,,,,,", "district_id", "invalid_character"),
        ("D\t-001,,,9,,,,,,,", "district_id", "invalid_character"),
        ("\u202eD-001,,,9,,,,,,,", "district_id", "invalid_character"),
        ("\u3000,SECRET,,9,,,,,,,", "district_id", "missing_value"),
        ("E-1,\U0001f600,\u202eשלום,9,,,,,,,",),
        ("\0E-2,SECRET,,9,,,,,,,", "district_id", "invalid_character"),
        ("E-3,SECRET", None, "broken_row"),
        ('=cmd|"x"!A1,SECRET,,9,,,,,,,',),
    ],
    "attendance": [
        (f"D-001,{day},,absent,,", "date", "invalid_date")
        for day in ("30/02", "2023-02-30", "2023-13-01", "20230905", "0000-00-00", "9999-12-31")
    ],
    "grades": [
        ("D-001,ALG,,H1,1e400,,2023-09-08,,,", "grade_value", "invalid_number"),
        ("D-001,ALG,,H2,1e99,,2023-09-08,,,", "grade_value", "impossible_grade"),
        ("D-001,ALG,,H3,٣٣,,2023-09-08,,,", "grade_value", "invalid_number"),
        ("D-001,ALG,,H4,80,,2023-09-08,,1e99,", "weight", "impossible_number"),
    ],
}


def test_what_is_meant_to_break_the_import_is_set_aside_on_either_database(store, tmp_path):
    expected, texts = [], {}
    for name, rows in HOSTILE.items():
        lines = (SAMPLE / f"{name}.csv").read_text(encoding="utf-8").splitlines()
        expected += [
            (f"{name}.csv", n, *fault) for n, (_, *fault) in enumerate(rows, len(lines) + 1) if fault
        ]
        texts[name] = "\n".join([*lines, *(row for row, *_ in rows), ""])
    folder = copy_of(tmp_path / "x", **texts)
    packed = bytearray(gzip.compress((folder / "discipline.csv").read_bytes()))
    packed[60:64] = bytes(byte ^ 255 for byte in packed[60:64])  # a disk's work
    (folder / "discipline.csv.gz").write_bytes(packed)
    (folder / "discipline.csv").unlink()
    result = ingest_folder(folder, store)
    question = "select file, row_number, column_name, reason from import_rejects"
    assert sorted(map(str, ask(store, question))) == sorted(map(str, expected))
    assert result.total("rows_read") == result.total("accepted") + len(expected) and result.exit_code == 0
    assert result.lines()[-1].endswith("discipline.csv.gz was refused")
    assert not re.search("SECRET|Ada", result.summary() + result.json())


@pytest.mark.parametrize("name", ["schools", "calendar", "students", "enrollments"])
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_one_bad_byte_in_a_required_file_costs_one_row_and_names_its_line(
    name, encoding, sqlite_store, tmp_path
):
    folder = copy_of(tmp_path / "x")
    for file in folder.glob("*.csv"):  # as in most districts: hardly a letter beyond ASCII
        file.write_bytes(file.read_text(encoding="utf-8").encode("ascii", "replace"))
    lines = (folder / f"{name}.csv").read_bytes().splitlines(keepends=True)
    (folder / f"{name}.csv").write_bytes(b"".join([*lines[:2], lines[2].rstrip() + b"\x81\n", *lines[3:]]))
    result = ingest_folder(folder, sqlite_store, Mapping(encoding=encoding))
    (told,) = (file for file in result.files if file.file == f"{name}.csv")
    assert result.exit_code == 0 and told.rows_read == len(lines) - 1 == told.accepted + 1
    ((line, reason),) = ask(
        sqlite_store, f"select row_number, reason from import_rejects where file = '{name}.csv'"
    )
    assert (line, reason) == (3, "wrong_encoding") and "wrong_encoding" in result.summary()


@pytest.mark.parametrize("field", ["x" * 4_200_000, '"' + "x\n" * 2_100_000 + '"'], ids=["letters", "lines"])
def test_a_field_larger_than_is_read_is_called_that(field, sqlite_store, tmp_path):
    rows = ["D-001,2023-09-06,absent", f"D-001,{field},absent", "D-001,2023-09-07,tardy", "D-001,2023-09-08"]
    text = "\n".join(["district_id,date,status", *rows, ""])
    result = ingest_folder(copy_of(tmp_path / "x", attendance=text), sqlite_store)
    (told,) = (file for file in result.files if file.file == "attendance.csv")
    assert told.first_lines == {":oversized_row": 3, ":broken_row": 5 + field.count("\n")}
    assert (told.rows_read, told.accepted, told.quarantined) == (4, 2, 2)
    assert any("oversized_row: a row of more than 4,000,000 bytes" in line for line in result.lines())


def test_rows_of_a_student_who_was_set_aside_are_told_from_those_of_nobody(sqlite_store, tmp_path):
    students = (SAMPLE / "students.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    text = "".join(students).replace(students[1], re.sub(r"\b9\b", "99", students[1], count=1))
    grades = (SAMPLE / "grades.csv").read_text(encoding="utf-8").replace("D-002,", "D-777,")
    result = ingest_folder(copy_of(tmp_path / "x", students=text, grades=grades), sqlite_store)
    unknown = {file.file: file.reasons.get("district_id:unknown_student", 0) for file in result.files}
    theirs = "select count(*) from import_rejects where reason = 'unknown_student' and value = 'D-001'"
    ((named,),) = ask(sqlite_store, theirs)
    assert 0 < named < sum(unknown.values())
    (why,) = (line for line in result.lines() if "mend students.csv first" in line)
    assert f"of {sum(unknown.values())} rows of unknown students" in why and f"{named} name a student" in why


def test_what_the_store_knows_of_days_and_periods_counts_too(store, tmp_path):
    assert not ingest_folder(SAMPLE, store).total("quarantined")
    header = {
        name: (SAMPLE / f"{name}.csv").read_text(encoding="utf-8").splitlines()[0]
        for name in ("calendar", "enrollments", "schools")
    }
    rows = ["2023-09-12,1", "2023-09-12,4", "2023-09-12,5", "2023-10-02,1", "1900-01-01,99"]
    text = "\n".join(["district_id,date,period,status", *(f"D-009,{row},tardy" for row in rows)])
    folder = copy_of(tmp_path / "x", attendance=text, **header)
    (told,) = (file for file in ingest_folder(folder, store).files if file.file == "attendance.csv")
    assert told.reasons == {"date:outside_calendar": 2, "period:impossible_period": 1} and told.accepted == 2


@pytest.mark.parametrize(
    "content", ["utf-16", "utf-16-le", "utf-16-be", b"PK\x03\x04\x14\0\x06\0", bytes(range(256))]
)
def test_a_required_file_that_is_no_text_stops_the_import_and_says_how_to_save_it(
    content, sqlite_store, tmp_path
):
    folder = copy_of(tmp_path / "x")
    students = (SAMPLE / "students.csv").read_text(encoding="utf-8")
    (folder / "students.csv").write_bytes(students.encode(content) if isinstance(content, str) else content)
    result = ingest_folder(folder, sqlite_store)
    assert result.exit_code == 1 and "CSV in UTF-8" in result.lines()[-1] and "student" in result.lines()[-1]
    assert not any(counts(sqlite_store).values())


def test_a_refused_optional_file_is_named_in_the_verdict(sqlite_store, tmp_path):
    grades = (SAMPLE / "grades.csv").read_text(encoding="utf-8").replace("grade_value", "mark", 1)
    folder = copy_of(tmp_path / "x", grades=grades)
    for begins in ("imported", "nothing new"):  # the second time too
        result = ingest_folder(folder, sqlite_store)
        verdict = result.lines()[-1]
        assert (
            verdict.startswith(begins)
            and verdict.endswith("; grades.csv was refused")
            and result.exit_code == 0
        )
    (line,) = (line for line in result.lines() if line.startswith("grades.csv:"))
    assert (
        "no column grade_value" in line
        and "'mark' is not known" in line
        and "it may have course_name" in line
    )


@pytest.mark.parametrize("name", [name for name, contract in CONTRACTS.items() if contract.needed])
@pytest.mark.parametrize("text", [None, "", "Ada,Abend\n"])
def test_a_required_file_that_cannot_be_used_stops_the_import(name, text, sqlite_store, tmp_path):
    result = ingest_folder(copy_of(tmp_path / "x", **{name: text}), sqlite_store)
    assert result.exit_code == 1 and name in result.lines()[-1] and "Abend" not in result.summary()
    assert not any(counts(sqlite_store).values())
    assert ask(sqlite_store, "select state from historical_data_imports") == [("failed",)]


@pytest.mark.parametrize("name, follows", [("students", "unknown_student"), ("schools", "unknown_school")])
def test_what_only_follows_from_a_refused_file_is_not_told_as_a_fault(name, follows, sqlite_store, tmp_path):
    result = ingest_folder(copy_of(tmp_path / "x", **{name: "number\n1\n"}), sqlite_store)
    assert result.exit_code == 1 and follows not in result.summary()
    assert f"enrollments.csv: 13 rows cannot be judged without {name}.csv" in result.lines()
    alone = ingest_folder(copy_of(tmp_path / "y", enrollments=OTHERS_STAY), sqlite_store)
    assert "unknown_student" in alone.summary()


OTHERS_STAY = "district_id,school_id,school_year,entry_date\nNOBODY,north,2023,2023-09-05\n"


def test_nothing_accepted_fails_and_keeps_the_reasons(sqlite_store, tmp_path):
    folder = tmp_path / "x"
    folder.mkdir()
    rows = {
        "schools": "school_id\n" + "s" * 60 + "\n",
        "calendar": "school_id,date,school_year,day_type\ns,x,2023,open\n",
        "students": "district_id\n" + "d" * 60 + "\n",
        "enrollments": "district_id,school_id,school_year,entry_date\nd,s,2023,x\n",
    }
    for name, text in rows.items():
        (folder / f"{name}.csv").write_text(text)
    result = ingest_folder(folder, sqlite_store)
    assert result.exit_code == 1 and "not one row" in result.lines()[-1]
    assert ask(sqlite_store, "select count(*) from import_rejects") == [(4,)]


@pytest.fixture
def sqlite_store(migrated_sqlite, tmp_path):
    from edupulse.store.engine import connect

    shutil.copy(migrated_sqlite, tmp_path / "store.db")
    engine = connect(f"sqlite:///{tmp_path / 'store.db'}")
    yield engine
    engine.dispose()


# ---- anything that parses, with anything -----------------------------------------------------------------------------

cells = st.text(
    st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=("Cs",)), max_size=12
)
readable = cells.filter(lambda text: "\r" not in text)


@QUICK
@given(
    st.lists(st.tuples(readable, readable, readable), max_size=12),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.booleans(),
)
def test_any_csv_is_read_as_pythons_reader_reads_it(tmp_path, rows, line_end, delimiter, encoding, quote_all):
    text = io.StringIO(newline="")
    quoting = csv.QUOTE_ALL if quote_all or line_end == "\r" else csv.QUOTE_MINIMAL  # the writer forgets "\n"
    csv.writer(text, delimiter=delimiter, lineterminator=line_end, quoting=quoting).writerows(
        [("a", "b", "c"), *rows]
    )
    file = tmp_path / "any.csv"
    file.write_bytes(text.getvalue().encode(encoding))
    with workbench(Mapping(), NOW) as db:
        seen = survey(file)
        path = as_utf8(file, seen, "utf-16" if encoding == "utf-16" else "utf-8", tmp_path)
        load_text(db, path, ["a", "b", "c"], delimiter)
        got = [tuple(cell or "" for cell in row) for row in db.sql("from told").fetchall()]
        broken = db.execute("select count(*) from reject_errors").fetchall()[0][0]
        lines = line_numbers(path, seen, len(got), set(), delimiter)
    assert not broken and got == rows
    if lines and not any("\n" in cell for row in rows for cell in row):
        assert lines == {number: number + 1 for number in range(1, len(rows) + 1)}


@QUICK
@given(st.binary(max_size=200))
def test_no_bytes_break_the_import_and_no_row_is_lost(tmp_path, content):
    file = tmp_path / "attendance.csv"
    file.write_bytes(b"district_id,date,status\n" + content)
    with workbench(Mapping(), NOW) as db:
        try:
            reading = read_source(db, Source(CONTRACTS["attendance"], file))
        except ValueError as error:
            assert "\n" not in str(error)
            return
        good = db.sql("select count(*) from staged where problem is null").fetchall()[0][0]
        assert good == 0 and reading.rows == db.sql("select count(*) from rejects").fetchall()[0][0]


FORMATS = ("%Y-%m-%d", "%m/%d/%Y", "%d.%m.%Y", "%d-%b-%Y", "%Y%m%d")


@pytest.fixture(scope="module")
def benches():
    """A workbench for each format of dates, and one for none."""
    with ExitStack() as open_ones:
        mappings = {None: Mapping()} | {pattern: Mapping(date_formats=(pattern,)) for pattern in FORMATS}
        yield {name: open_ones.enter_context(workbench(mapping, NOW)) for name, mapping in mappings.items()}


@QUICK
@given(st.dates(date(1900, 1, 1), date(2199, 12, 31)), st.sampled_from(FORMATS))
def test_a_date_in_the_districts_format_is_that_date(benches, day, pattern):
    for text in (day.isoformat(), day.strftime(pattern)):
        assert benches[pattern].execute("select as_date(?)", [text]).fetchall() == [(day,)]


@QUICK
@given(st.text(max_size=15))
def test_any_text_is_a_date_only_if_it_is_one(benches, text):
    try:
        expected = (
            date.fromisoformat(text)
            if len(text) == 10 and text[4] == text[7] == "-" and text.isascii()
            else None
        )
    except ValueError:
        expected = None
    if expected and not 1900 <= expected.year < 2200:
        expected = None
    db = benches[None]
    assert db.execute("select as_date(?)", [text]).fetchall() == [(expected,)]
    db.execute("select as_moment(?), as_integer(?), as_number(?), json_leaves(?)", [text] * 4).fetchall()


@QUICK
@given(st.text(max_size=80) | st.binary(max_size=80))
def test_no_mapping_file_breaks_the_import(tmp_path, content):
    file = tmp_path / "mapping.yaml"
    file.write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
    try:
        assert isinstance(read_mapping(file), Mapping)
    except ValueError as error:
        assert str(error).startswith("mapping.yaml: ")


@QUICK
@given(st.data())
def test_a_mapping_file_is_read_back_as_it_was_written(tmp_path, data):
    words = st.text(st.characters(codec="utf-8", categories=("L", "N", "P")), min_size=1, max_size=8)
    column = data.draw(st.sampled_from(sorted(CODES)))
    codes = {column: data.draw(st.dictionaries(words, st.sampled_from(sorted(set(CODES[column].values())))))}
    contract = data.draw(st.sampled_from(sorted(CONTRACTS)))
    columns = data.draw(st.dictionaries(st.sampled_from(CONTRACTS[contract].columns), words))
    file = tmp_path / "mapping.yaml"
    written = {"codes": codes, "files": {contract: {"columns": columns}}}
    file.write_text(json.dumps(written, ensure_ascii=False), encoding="utf-8")
    mapping = read_mapping(file)
    assert mapping.codes == codes and mapping.files[contract].columns == columns


# ---- a store that somebody else writes to ----------------------------------------------------------------------------

HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("begin immediate")
print("held", flush=True)
sys.stdin.read()
"""


def test_an_import_says_for_whom_it_waits(sqlite_store, tmp_path):
    environment = {
        **os.environ,
        "EDUPULSE_DATABASE_URL": str(sqlite_store.url),
        "EDUPULSE_HOME": str(tmp_path),
    }
    command = [
        sys.executable,
        "-c",
        "from edupulse.faces.cli import main; main()",
        "ingest",
        "csv",
        str(SAMPLE),
    ]
    holding = [sys.executable, "-c", HOLDER, sqlite_store.url.database]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE) | {"text": True}
    with subprocess.Popen(holding, **pipes) as holder:
        assert holder.stdout.readline() == "held\n"
        with subprocess.Popen(command, env=environment, **pipes) as waiting:
            told = next((line for line in waiting.stderr if "waiting up to 20 s" in line), "nothing")
            holder.stdin.close()
            waiting.communicate()
    assert f"(process {holder.pid})" in told and waiting.returncode == 0


def test_postgresql_says_for_whom_it_waits_and_gives_up(store, monkeypatch):
    if store.dialect.name != "postgresql":
        pytest.skip("the tests above and nbs/22_ingest.sqlite.ipynb show it on SQLite")
    monkeypatch.setattr("edupulse.ingest.write.PATIENCE", 3)
    with store.connect() as other, capture_logs() as logged:
        lock = (
            "select pg_backend_pid() from (select pg_advisory_xact_lock(hashtext('edupulse import'))) as held"
        )
        pid = other.execute(sa.text(lock)).scalar()
        with pytest.raises(RuntimeError, match="no lock within 3 s; another program is writing to it: wait"):
            ingest_folder(SAMPLE, store)
        other.rollback()
        (waiting,) = (entry["event"] for entry in logged if entry["log_level"] == "warning")
        assert waiting.startswith(f"the store is being written to by edupulse (process {pid} of the server)")
        other.execute(sa.text("select count(*) from students"))  # read, and not yet done
        with pytest.raises(RuntimeError, match="no lock within 3 s"), open_writer(store) as writer:
            append_and_index(writer, students, Rows(duckdb.connect(), "select 1 where false"))
    assert not any(counts(store).values()) and ingest_folder(SAMPLE, store).changed


# ---- a kill leaves nothing or all ------------------------------------------------------------------------------------

VICTIMS = """
import os, sys
from edupulse.ingest.load import ingest_folder
from edupulse.store.engine import connect
for _ in sys.stdin:
    pid = os.fork()
    if not pid:
        ingest_folder(sys.argv[1], connect(sys.argv[2]))
        os._exit(0)
    print(pid, flush=True)
    print(os.waitpid(pid, 0)[1], flush=True)
"""


def big_district(folder: Path, students: int = 300, days: int = 60) -> Path:
    """The sample with more attendance, so that there is something to kill."""
    copy_of(folder)
    ids = [f"K-{number:04}" for number in range(students)]
    (folder / "students.csv").write_text("district_id\n" + "\n".join(ids) + "\n")
    stays = [f"{name},north,2023,2023-09-05" for name in ids]
    (folder / "enrollments.csv").write_text(
        "district_id,school_id,school_year,entry_date\n" + "\n".join(stays) + "\n"
    )
    first = date(2023, 9, 4).toordinal()
    dates = [date.fromordinal(first + day) for day in range(days)]
    calendar = [f"north,{day},2023,instructional" for day in dates]
    (folder / "calendar.csv").write_text("school_id,date,school_year,day_type\n" + "\n".join(calendar) + "\n")
    rows = [f"{name},{day},absent" for name in ids for day in dates]
    (folder / "attendance.csv").write_text("district_id,date,status\n" + "\n".join(rows) + "\n")
    for name in ("grades", "discipline"):
        (folder / f"{name}.csv").unlink()
    return folder


def test_a_killed_import_leaves_nothing_or_all(store, tmp_path):
    folder = big_district(tmp_path / "big")
    url = store.url.render_as_string(hide_password=False)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-c", VICTIMS, str(folder), url]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    whole = sum(
        {"schools": 2, "calendar": 60, "students": 300, "stays": 300, "attendance": 300 * 60}.values()
    )
    outcomes, duration = [], measure(folder, store)
    with subprocess.Popen(command, env=environment, **pipes) as victims:
        for share in (0.4, 0.6, 0.75, 0.9, 1.0, None):  # of an import's own duration; None: not killed
            victims.stdin.write("another\n")
            pid = int(victims.stdout.readline())
            if share is not None:
                time.sleep(duration * share)
                with suppress(ProcessLookupError):  # it was faster
                    os.kill(pid, signal.SIGKILL)
            ended = int(victims.stdout.readline())
            assert ended in ({0, signal.SIGKILL} if share else {0})
            outcomes.append(sum(counts(store).values()))
    assert set(outcomes) <= {0, whole} and outcomes[-1] == whole
    assert len(ask(store, "select id from historical_data_imports")) >= 1


def measure(folder: Path, store) -> float:
    """About how many seconds an import takes here: a dry run does all but the writing."""
    began = time.monotonic()
    ingest_folder(folder, store, dry_run=True)
    return 1.4 * (time.monotonic() - began)
