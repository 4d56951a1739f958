"What is watched holds nobody, what is logged names nobody, and the files that watch ask for what there is."

import json
import os
import re
import subprocess
import sys
import urllib.request
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import yaml

from edupulse.faces.exporter import GPU, figures_once
from edupulse.logs import configure_logs, logger, one_run
from edupulse.settings import Settings
from edupulse.store.engine import session
from edupulse.store.tables import (
    historical_data_imports,
    import_rejects,
    natural_id,
    predictions,
    schools,
    students,
)

ROOT = Path(__file__).resolve().parent.parent
NAME, NUMBER, BORN = "Zyxwvutina", "district-4711-x", date(2009, 4, 1)


@pytest.fixture
def watched(store, tmp_path):
    "Settings and store with 24 scored students, one of whom is planted, and an import that refused a row of theirs."
    settings = Settings(home=tmp_path / "home", database_url=store.url.render_as_string(hide_password=False))
    moment = datetime(2026, 2, 1, 3, tzinfo=UTC)
    with session(store) as db:
        done = {"rows_read": 30, "rows_accepted": 28, "rows_quarantined": 2, "state": "finished"}
        run = natural_id("historical_data_imports", "1")
        db.execute(historical_data_imports.insert().values(id=run, source="csv", finished_at=moment, **done))
        row = {
            "id": natural_id("import_rejects", "1"),
            "import_id": run,
            "file": "students.csv",
            "value": NAME,
        }
        db.execute(import_rejects.insert().values(**row, reason="date_unreadable"))
        db.execute(schools.insert().values(school_id="S1", name=f"{NAME} High"))
        for number in range(24):
            key = natural_id("students", str(number))
            person = {"id": key, "district_id": NUMBER if number == 0 else str(number), "first_name": NAME}
            db.execute(students.insert().values(**person, date_of_birth=BORN))
            said = {"risk_score": number / 24, "risk_category": "high" if number > 20 else "low"}
            said |= {"as_of": date(2026, 2, 2), "horizon_days": 60, "model_version": "m1"}
            db.execute(
                predictions.insert().values(id=natural_id("predictions", str(number)), student_id=key, **said)
            )
    return settings, store


def samples(text):
    "Name and labels → value."
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def test_figures_tell_the_store_and_nobody_in_it(watched):
    settings, engine = watched
    told = figures_once(settings)
    found = samples(told)
    assert found['edupulse_import_rows{source="csv",what="quarantined"}'] == 2
    assert found['edupulse_import_rejects{reason="date_unreadable"}'] == 1
    assert found["edupulse_scored_day_timestamp_seconds"] == datetime(2026, 2, 2, tzinfo=UTC).timestamp()
    assert (
        found['edupulse_students{category="high"}'] == 0 and found['edupulse_students{category="low"}'] == 20
    )
    counts = [
        value
        for name, value in found.items()
        if name.startswith(("edupulse_students", "edupulse_scores_bucket"))
    ]
    assert len(counts) == 14 and all(value % settings.n_size == 0 for value in counts)
    assert all(value == 1 for name, value in found.items() if name.startswith("edupulse_up"))
    for planted in (NAME, NUMBER, str(BORN), "S1", str(natural_id("students", "0"))):
        assert planted not in told


def test_prometheus_is_answered_on_this_machine_alone(watched, tmp_path):
    settings, engine = watched
    code = "from edupulse.faces.cli import main; main(['metrics', '--port', '%d'])"
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "EDUPULSE_HOME": str(settings.home), "EDUPULSE_DATABASE_URL": settings.url}
    running = subprocess.Popen(
        [sys.executable, "-c", code % port], env=environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    try:
        assert f"http://127.0.0.1:{port}/metrics" in running.stderr.readline()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            assert samples(answer.read().decode())['edupulse_up{part="scores"}'] == 1
    finally:
        running.kill()
        running.wait()
        running.stderr.close()


def test_the_files_that_watch_ask_for_what_there_is():
    "Every figure that a panel or a rule asks for is one that the exporter has."
    files = [ROOT / "edupulse" / "faces" / f"{name}.py" for name in ("metrics", "exporter")]
    source = "".join(file.read_text(encoding="utf-8") for file in files)
    offered = set(re.findall(r"gauge\(\s*\"(\w+)\"", source)) | {name for name, *_ in GPU.values()}
    offered |= {
        "scores_bucket",
        "scores_gcount",
        "scores_gsum",
        "model_info",
    }
    board = json.loads((ROOT / "deploy/grafana/dashboards/edupulse.json").read_text(encoding="utf-8"))
    asked = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    rules = yaml.safe_load((ROOT / "deploy/prometheus/rules.yml").read_text(encoding="utf-8"))
    asked += [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    names = {name for expression in asked for name in re.findall(r"edupulse_(\w+)", expression)}
    assert len(asked) > 12 and names and names <= offered, names - offered


def test_a_planted_name_is_in_no_line_of_the_log_and_one_run_is_one_id(tmp_path):
    file = tmp_path / "a.log"
    configure_logs(file=file, stream=open(os.devnull, "w"))
    with one_run() as run:
        for field in (
            "first_name",
            "last_name",
            "district_id",
            "student_id",
            "date_of_birth",
            "value",
            "description",
        ):
            logger("ingest").warning("row quarantined", line=7, **{field: NAME})
        code = "import sys; from pathlib import Path; from edupulse.logs import *\n"
        code += f"configure_logs(file=Path(sys.argv[1])); logger('mail').info('sent', name='{NAME}')"
        subprocess.run([sys.executable, "-c", code, file], check=True, capture_output=True)
    kept = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert (
        len(kept) == 8
        and {each["run"] for each in kept} == {run}
        and NAME not in file.read_text(encoding="utf-8")
    )
    assert file.stat().st_mode & 0o077 == 0


def stumble_over(store, folder):
    "Each library that meets a row, and what it says when it stops: name → what raises."
    import email.message
    import io

    import duckdb
    import pandas as pd
    import pydantic
    import sqlalchemy as sa

    class Row(pydantic.BaseModel):
        number: int
        born: bool

    def insert(table, **values):
        with session(store) as db:
            db.execute(table.insert(), [{**values, "id": natural_id("x", str(n))} for n in (1, 2)])

    def duck(statement):
        duckdb.sql(statement).fetchall()

    file = folder / f"{NAME}.csv"
    file.write_text("a,b\n1,2\n" + f"{NUMBER},{NAME},{BORN}\n")
    person = {"district_id": NUMBER, "first_name": NAME, "date_of_birth": BORN}
    return {
        "a key that is there": lambda: insert(students, **person),
        "a value that is too long": lambda: insert(students, **person | {"grade_level": NAME}),
        "a foreign key": lambda: insert(import_rejects, import_id=natural_id("y", "1"), file="x", value=NAME, reason="x"),
        "a statement": lambda: store.connect().execute(sa.text("select :name from nowhere"), {"name": NAME}),
        "pydantic": lambda: Row(number=NUMBER, born=str(BORN)),
        "duckdb": lambda: duck(f"select cast('{NUMBER} {NAME}' as integer)"),
        "a csv file": lambda: duck(f"from read_csv('{file}', columns={{'a': 'integer', 'b': 'integer'}}, auto_detect=false)"),
        "pandas": lambda: pd.to_numeric(pd.Series([f"{NAME} {BORN}"])),
        "a day": lambda: datetime.fromisoformat(NAME),
        "a number": lambda: int(NUMBER),
        "a dict": lambda: {}[NAME],
        "a file": lambda: (folder / NAME / str(BORN)).read_text(),
        "json": lambda: json.loads(f'{{"{NAME}": {BORN}}}'),
        "text": lambda: f"{NAME} ü".encode("cp1252").decode("utf-8"),
        "a header": lambda: email.message.EmailMessage().__setitem__("To", f"{NAME}\n@{NUMBER}.org"),
        "attributes": lambda: getattr(io, NAME),
    }  # fmt: skip


def test_whatever_stops_over_a_row_tells_nobody_of_it(watched, tmp_path):
    from edupulse.faces.terminal import explain, keep_traceback

    settings, engine = watched
    file, seen = tmp_path / "a.log", open(tmp_path / "seen", "w+")
    configure_logs(file=file, stream=seen)
    stopped = set()
    for name, meets in stumble_over(engine, tmp_path).items():
        try:
            meets()
        except Exception as error:
            stopped.add(name)
            logger("jobs").error(
                "a row was not taken", exc_info=True, error=str(error), what=[str(error), {"x": error}]
            )
            logger("jobs").warning(f"it stopped: {error}")
            keep_traceback(error, tmp_path / "kept")
            if not isinstance(error, OSError):  # of a file, a person is told which
                seen.write(f"{name}: {explain(error)}\n")
    assert stopped >= set(stumble_over(engine, tmp_path)) - {"a value that is too long"}  # SQLite keeps any
    for place in ("a.log", "seen", *(f"kept/{each.name}" for each in (tmp_path / "kept").iterdir())):
        seen.flush()
        text = (tmp_path / place).read_text(encoding="utf-8")
        for planted in (NAME, NUMBER, str(BORN)):
            at = text.find(planted)
            assert at < 0, f"{place}: {text[max(0, at - 200) : at + 60]}"
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert len(lines) == 2 * len(stopped) and all(
        "in stumble_over" in each["exception"] or "lambda" in each["exception"] for each in lines[::2]
    )
    seen.close()
