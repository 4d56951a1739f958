"A backup is a store of one moment, says nothing without its key, and is put back equal or not at all."

import json
import os
import random
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import run_forked
from databases import candidate_folders
from sqlalchemy.engine import make_url

from edupulse.care.audit import record, witness
from edupulse.keep.backup import back_up, last_backup
from edupulse.keep.cipher import new_key, read_secret
from edupulse.keep.restore import drill, prove, restore
from edupulse.keep.store import store_tables
from edupulse.keep.unpack import take_apart
from edupulse.model.checkpoint import write_folder
from edupulse.settings import Settings
from edupulse.store.engine import connect, session
from edupulse.store.tables import model_metadata, natural_id, schools, students

NAME = "Zyxwvutina Quibblethorpe"  # of nobody, and in no file of ours
DOOR = [sys.executable, "-c", "from edupulse.faces.cli import main; main()"]
WRITER = """
import sys
from datetime import date, timedelta
from pathlib import Path
from edupulse.care.audit import record, witness
from edupulse.store.engine import connect, session
from edupulse.store.tables import school_calendar, schools
engine, home = connect(sys.argv[1]), Path(sys.argv[2])
for number in range(100_000):
    with session(engine) as db:
        db.execute(schools.insert().values(school_id=f"W{number}", name="Written"))
        day = date(2026, 1, 1) + timedelta(days=number)
        row = {"school_id": f"W{number}", "date": day, "school_year": 2025, "day_type": "closed"}
        db.execute(school_calendar.insert().values(**row))
        record(db, "writer", "wrote")
    witness(engine, home)
    if number == 3:
        print("writing", flush=True)
"""


@pytest.fixture
def programs(monkeypatch):
    "PostgreSQL's programs of the server that the tests start."
    folders = [str(folder) for folder in candidate_folders() if (folder / "pg_dump").exists()]
    monkeypatch.setenv("PATH", os.pathsep.join([*folders[:1], os.environ["PATH"]]))


@pytest.fixture
def kept(store, tmp_path, programs):
    "Settings, store and key of a home with a student, a model, an MLflow file and a page."
    settings = Settings(home=tmp_path / "home", database_url=store.url.render_as_string(hide_password=False))
    version = "m-20260101-abc"
    digest = write_folder(
        settings.folder("models") / version, {"model.json": b"{}", "weights": os.urandom(4000)}
    )
    with session(store) as db:
        student = {"id": natural_id("students", "d1"), "district_id": "d1", "first_name": NAME}
        db.execute(students.insert().values(**student))
        row = {"id": natural_id("model_metadata", version), "model_version": version}
        db.execute(model_metadata.insert().values(**row, hyperparameters={"digest": digest}))
        record(db, "somebody", "looked")
    witness(store, settings.home)
    (settings.folder("runs") / "page.html").write_text(f"<p>{NAME}", encoding="utf-8")
    mlflow = connect(f"sqlite:///{settings.home / 'mlflow.db'}")
    with session(mlflow) as db:
        db.exec_driver_sql("create table runs (run_uuid text, artifact_uri text)")
        place = (settings.home.resolve() / "mlartifacts" / "1").as_uri()
        db.exec_driver_sql("insert into runs values ('r', :place)", {"place": place})
    mlflow.dispose()
    return settings, store, read_secret(new_key(tmp_path / "keys" / "backup.key"))


def rows(url, table):
    "How many rows a table has."
    engine = connect(url)
    try:
        return store_tables(engine)[table]["rows"]
    finally:
        engine.dispose()


def test_a_backup_taken_while_another_process_writes_is_of_one_moment(kept, tmp_path):
    "Two tables that are written together, the audit log and its witness agree in each copy; a drill proves it."
    settings, engine, secret = kept
    url = engine.url.render_as_string(hide_password=False)
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, url, settings.home], stdout=subprocess.PIPE, text=True
    )
    try:
        assert writer.stdout.readline() == "writing\n"
        made = [back_up(settings, engine, tmp_path / f"{number}.backup", secret) for number in range(2)]
        assert writer.poll() is None, "nobody wrote meanwhile"
    finally:
        writer.kill()
        writer.wait()
    counts = []
    for each in made:
        place = tmp_path / f"parts-{Path(each.file).stem}"
        tables = take_apart(Path(each.file), secret, place).store["tables"]
        assert (
            tables["schools"]["rows"] == tables["school_calendar"]["rows"] == tables["audit_log"]["rows"] - 1
        )
        counts.append(tables["schools"]["rows"])
        assert drill(Path(each.file), secret, settings).equal
    assert 3 < counts[0] < counts[1] <= rows(url, "schools")


@pytest.mark.soak
def test_five_of_five_are_put_back_equal(kept, tmp_path):
    settings, engine, secret = kept
    for number in range(5):
        with session(engine) as db:
            db.execute(schools.insert().values(school_id=f"N{number}", name="New"))
        made = back_up(settings, engine, tmp_path / f"{number}.backup", secret)
        proof = drill(Path(made.file), secret, settings)
        assert proof.equal and proof.models == 1 and proof.rows >= number + 5


def test_without_the_key_nothing_is_readable(kept, tmp_path):
    settings, engine, secret = kept
    file = Path(back_up(settings, engine, tmp_path / "a.backup", secret).file)
    content = file.read_bytes()
    for planted in (NAME, "page.html", "manifest", "students", "m-20260101", "SQLite", "PGDMP", "somebody"):
        assert planted.encode() not in content
    assert file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO) == 0
    other = read_secret(new_key(tmp_path / "other.key"))
    with pytest.raises(ValueError, match="another key"):
        take_apart(file, other, tmp_path / "parts")
    assert not (tmp_path / "parts").exists()


def empty_place(settings, tmp_path, name):
    "A home, and a database of the same kind, that hold nothing; and how to be rid of the database."
    home, place = tmp_path / name, make_url(settings.url)
    if place.get_backend_name() == "sqlite":
        return Settings(home=home, database_url=f"sqlite:///{home / 'edupulse.db'}"), lambda: None
    engine = connect(settings.url).execution_options(isolation_level="AUTOCOMMIT")
    database = f"{place.database}_{name}"
    with engine.connect() as db:
        db.exec_driver_sql(f"create database {database} template template0")

    def gone():
        with engine.connect() as db:
            db.exec_driver_sql(f"drop database {database} with (force)")

    return Settings(
        home=home, database_url=place.set(database=database).render_as_string(hide_password=False)
    ), gone


def test_a_restore_is_equal_moves_with_its_home_and_overwrites_nothing(kept, tmp_path):
    settings, engine, secret = kept
    file = Path(back_up(settings, engine, tmp_path / "a.backup", secret).file)
    target, gone = empty_place(settings, tmp_path, "again")
    try:
        proof = restore(file, secret, target)
        assert proof.equal and proof.models == 1 and proof.state == "current"
        restored = connect(target.url)
        assert store_tables(restored) == store_tables(engine)
        mlflow = connect(f"sqlite:///{target.home / 'mlflow.db'}")
        with session(mlflow, read_only=True) as db:
            assert (
                db.exec_driver_sql("select artifact_uri from runs")
                .scalar()
                .startswith(target.home.resolve().as_uri())
            )
        before = store_tables(restored)
        with pytest.raises(ValueError, match="overwrites nothing"):
            restore(file, secret, target)
        with pytest.raises(ValueError, match="overwrites nothing"):
            restore(file, secret, Settings(home=tmp_path / "third", database_url=target.url))
        assert store_tables(restored) == before and not (tmp_path / "third").exists()
        manifest = take_apart(file, secret, tmp_path / "parts")
        with session(restored) as db:
            db.execute(students.update().values(first_name="Somebody Else"))
        (target.home / "models" / "m-20260101-abc" / "weights").write_bytes(b"")
        unlike = prove(manifest, target).unlike
        assert {"table students", "file models/m-20260101-abc/weights", "model m-20260101-abc"} <= {*unlike}
        restored.dispose()
        mlflow.dispose()
    finally:
        gone()


@pytest.fixture(scope="module")
def a_backup(migrated_sqlite, tmp_path_factory):
    "A backup of an empty SQLite store, its key and its settings."
    folder = tmp_path_factory.mktemp("kept")
    settings = Settings(home=folder / "home", database_url=f"sqlite:///{migrated_sqlite}")
    engine = connect(settings.url)
    secret = read_secret(new_key(folder / "backup.key"))
    made = back_up(settings, engine, folder / "a.backup", secret)
    engine.dispose()
    return Path(made.file), secret, settings


def test_a_file_that_was_damaged_anywhere_is_refused_and_leaves_nothing(a_backup, tmp_path):
    file, secret, _ = a_backup
    whole, chance = file.read_bytes(), random.Random(5)
    places = [0, 20, 60, len(whole) - 1, *(chance.randrange(len(whole)) for _ in range(8))]
    broken = [whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :] for place in places]
    broken += [whole[:-1], whole[: len(whole) // 2], whole + b"x", b"", b"PK\x03\x04"]
    for number, content in enumerate(broken):
        bad, target = tmp_path / f"{number}.backup", Settings(home=tmp_path / f"t{number}", database_url="")
        bad.write_bytes(content)
        with pytest.raises(
            ValueError, match="is damaged|is no backup|another key|was written with|overwrites"
        ) as told:
            restore(bad, secret, target)
        assert "\n" not in str(told.value) and not target.home.exists()
    assert not list(tmp_path.glob(".restore-*"))


def test_a_backup_that_is_killed_leaves_no_file_under_its_name(a_backup, tmp_path):
    _, _, settings = a_backup
    key, folder = tmp_path / "k", tmp_path / "out"
    new_key(key)
    folder.mkdir()
    (settings.folder("runs") / "large").write_bytes(os.urandom(60_000_000))
    environment = {**os.environ, "EDUPULSE_HOME": str(settings.home), "EDUPULSE_DATABASE_URL": settings.url}
    command = [*DOOR, "backup", str(folder / "b.backup"), "--key", str(key)]
    running = subprocess.Popen(command, env=environment, cwd=tmp_path)
    until = time.monotonic() + 60
    while not list(folder.glob(".*.partial")) and time.monotonic() < until:
        time.sleep(0.02)
    running.kill()
    assert running.wait() != 0 and not (folder / "b.backup").exists()
    (settings.home / "runs" / "large").unlink()
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert [each.name for each in folder.iterdir()] == ["b.backup"] and not list(
        settings.home.glob(".backup-*")
    )


def test_the_commands_make_a_key_a_backup_and_a_drill_and_refuse_in_one_line(tmp_path, migrated_sqlite):
    home = tmp_path / "home"
    environment = {
        **os.environ,
        "EDUPULSE_HOME": str(home),
        "EDUPULSE_DATABASE_URL": f"sqlite:///{migrated_sqlite}",
    }

    def run(*words):
        return run_forked(words, tmp_path, environment)

    assert "wants a key" in run("backup", "a.backup").stderr
    assert "a new key" in run("backup", "--new-key", "my.key").stdout
    made = json.loads(run("backup", "a.backup", "--key", "my.key", "--drill", "--json").stdout)
    assert made["drill"]["unlike"] == [] and last_backup(home).drilled_at
    told = run("restore", "a.backup", "--key", "my.key")
    assert told.returncode == 1 and "overwrites nothing" in told.stderr and len(told.stderr.splitlines()) == 1
    told = run(
        "restore",
        "a.backup",
        "--key",
        "my.key",
        "--into",
        "new",
        "--into",
        f"sqlite:///{tmp_path}/new/edupulse.db",
    )
    assert told.returncode == 0 and "all equal" in told.stdout, told.stderr
    assert (
        run("backup").returncode == 2 and run("restore", "a.backup", "--drill", "--into", "x").returncode == 2
    )
    environment["EDUPULSE_HOME"] = str(tmp_path / "hoem")
    told = run("restore", "a.backup", "--key", "my.key", "--drill")
    assert (
        told.returncode == 1 and "correct EDUPULSE_HOME" in told.stderr and len(told.stderr.splitlines()) == 1
    )
    assert not (tmp_path / "hoem").exists()
