"The doctor finds what is wrong where least works, and changes nothing."

import gzip
import json
import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from commands import run_forked

from edupulse.care.audit import record, witness
from edupulse.faces.doctor import CHECKS, ask, examine
from edupulse.faces.machine import package_troubles
from edupulse.resources import resource
from edupulse.settings import Settings
from edupulse.store.engine import connect, session
from edupulse.store.migrate import migrate


@pytest.fixture
def home(tmp_path):
    return Settings(home=tmp_path / "home", database_url="")


def state_of(diagnosis):
    return {check.name: check.state for check in diagnosis.checks}


def test_a_bare_machine_is_described_and_left_alone(home):
    found = examine(home)
    assert [check.name for check in found.checks] == list(CHECKS)
    assert state_of(found)["store"] == "fail" and not found.well
    assert all(check.mend for check in found.checks if check.state != "ok"), (
        "every finding says what mends it"
    )
    assert not home.home.exists()


def test_a_store_of_every_age_is_told_apart(home):
    home.home.mkdir()
    engine = connect(home.url)
    assert ask("store", home).mend == "edupulse init"
    migrate(engine)
    assert ask("store", home).state == "ok"
    with engine.begin() as connection:
        connection.exec_driver_sql("update alembic_version set version_num = '9999'")
    assert "newer" in ask("store", home).found


def test_a_file_that_is_no_database_is_a_finding(home):
    home.home.mkdir()
    Path(home.home / "edupulse.db").write_bytes(b"not a database" * 100)
    assert ask("store", home).state == "fail"


def test_a_snapshot_older_than_the_store_is_said(home):
    from edupulse.store.snapshot import refresh

    home.home.mkdir()
    engine = connect(home.url)
    migrate(engine)
    refresh(engine, home.folder("snapshot"), progress=False)
    assert ask("snapshot", home).state == "ok"
    with engine.begin() as connection:
        connection.exec_driver_sql("insert into schools (school_id, name) values ('S1', 'First')")
    assert ask("snapshot", home).state == "warn"


def test_a_refused_file_is_a_finding_until_an_import_has_read_it(home, tmp_path):
    from edupulse.ingest.load import ingest_folder

    home.home.mkdir()
    engine = connect(home.url)
    migrate(engine)
    assert ask("imports", home).mend == "edupulse ingest csv FOLDER"
    records, whole = tmp_path / "records", resource("data/samples/district")

    def night(**heads) -> tuple[int, str]:
        shutil.copytree(whole, records, dirs_exist_ok=True)
        for name, (old, new) in heads.items():
            text = (whole / f"{name}.csv").read_text(encoding="utf-8")
            (records / f"{name}.csv").write_text(text.replace(old, new, 1), encoding="utf-8")
        return ingest_folder(records, engine).exit_code, ask("imports", home).state

    refused = {"attendance": ("status", "state")}
    assert night(**refused, grades=("grade_value", "mark")) == (0, "warn")
    found = ask("imports", home)
    assert "attendance.csv was refused on " in found.found and "has no column grade_value" in found.found
    assert found.mend == "mend attendance.csv and grades.csv, then: edupulse ingest csv FOLDER"
    assert night(**refused) == (0, "warn")
    assert "grades.csv" not in ask("imports", home).found
    (records / "attendance.csv").unlink()  # a night without the file does not bring its rows
    assert ingest_folder(records, engine).exit_code == 0 and ask("imports", home).state == "warn"
    assert night(students=("district_id", "number")) == (1, "warn")
    found = ask("imports", home).found
    assert "the last import of csv failed: students.csv has no column district_id" in found
    assert "attendance.csv was refused" in found
    (records / "attendance.csv.gz").write_bytes(gzip.compress((whole / "attendance.csv").read_bytes()))
    for name in ("students", "attendance"):
        (records / f"{name}.csv").unlink()
    shutil.copy(whole / "students.csv", records)
    assert ingest_folder(records, engine).exit_code == 0 and ask("imports", home).state == "ok"


def test_what_is_made_is_for_its_owner_alone_and_a_wider_home_is_said(tmp_path):
    command = [
        sys.executable,
        "-c",
        "import os; os.umask(0o022); from edupulse.faces.cli import main; main()",
    ]
    with tempfile.TemporaryDirectory() as open_place:  # `tmp_path` is below a folder that is private already
        Path(open_place).chmod(0o755)
        home = Settings(home=Path(open_place) / "data" / "home", database_url="")
        environment = {**os.environ, "EDUPULSE_HOME": str(home.home), "EDUPULSE_DATABASE_URL": ""}
        subprocess.run([*command, "init"], env=environment, cwd=tmp_path, check=True, capture_output=True)
        rights = {
            f"{each.stat().st_mode & 0o777:o}" for each in (home.home.parent, home.home, home.folder("logs"))
        }
        assert rights == {"700"} and ask("home", home).state == "ok"
        for folder in (home.home.parent, home.home):
            folder.chmod(0o755)
        said = ask("home", home)
        assert said.state == "warn" and said.mend == f"chmod 700 {home.home}"
        subprocess.run(shlex.split(said.mend), check=True)
        assert ask("home", home).state == "ok"


def test_a_package_too_old_is_named_with_what_is_wanted():
    assert package_troubles(["typer>=999"])[0].endswith("(wants >=999)")


def test_the_command_says_so_with_its_exit_status(tmp_path):
    run = [sys.executable, "-c", "from edupulse.faces.cli import main; main()", "doctor", "--json"]
    environment = {"EDUPULSE_HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(run, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.returncode == 1 and json.loads(done.stdout)["well"] is False
    environment["EDUPULSE_N_SIZE"] = "many"
    done = run_forked(["doctor"], tmp_path, environment)
    assert done.returncode == 1 and "EDUPULSE_N_SIZE" in done.stdout and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("update audit_log set actor = 'cole' where sequence = 4", "entry 4 of the audit log was changed"),
        (
            "delete from audit_log where sequence > 3; update audit_head set sequence = 3, "
            "entry_hash = (select entry_hash from audit_log where sequence = 3)",
            "entry 4 of the audit log is missing, and so is all that came after it",
        ),
    ],
    ids=["a changed row", "a deleted tail"],
)
def test_the_command_names_the_first_bad_row_of_the_audit_log(home, damage, said):
    home.home.mkdir()
    engine = connect(home.url)
    migrate(engine)
    for number in range(6):
        with session(engine) as db:
            record(db, "rivera", "opened", "page", f"page {number}")
        witness(engine, home.home)
    engine.dispose()
    with sqlite3.connect(home.home / "edupulse.db") as db:
        db.executescript(damage)
    environment = {**os.environ, "EDUPULSE_HOME": str(home.home), "EDUPULSE_DATABASE_URL": ""}
    ran = run_forked(["doctor"], home.home, environment)
    lines = (ran.stdout + ran.stderr).splitlines()
    place = next(number for number, line in enumerate(lines) if said in line)
    assert ran.returncode == 1 and "tell whoever answers for the data" in lines[place + 1]
