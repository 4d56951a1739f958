"""Jobs: one worker each, whatever is killed; asked for once, whatever the clock does; told as failed when they failed.

Real workers are killed with -9 at random points (5 here, 100 in `make soak`), and the store is held against one that was
left in peace.
"""

import csv
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa
from commands import begin_command

from edupulse.alerts.causes import job_causes, silence_causes
from edupulse.jobs.lease import Terms, claim, fail, give_back, heartbeat, holder, put_off, succeed
from edupulse.jobs.record import Wish, add, cancel, find, listed, retry, said
from edupulse.jobs.schedule import follows, join_run, plan, same_waiting
from edupulse.jobs.worker import make_worker, run_job, turn
from edupulse.settings import Settings
from edupulse.store.engine import connect, session
from edupulse.store.jobs import JOB_KINDS, jobs
from edupulse.store.migrate import migrate
from edupulse.store.tables import metadata

TERMS = Terms()


@pytest.fixture
def beside(store):
    "A second way into the same store, as another process has it."
    engine = connect(store.url.render_as_string(hide_password=False))
    yield engine
    engine.dispose()


# --- the table, on both databases ------------------------------------------------------------------------------------


def test_no_job_is_taken_twice_and_no_lane_holds_two(store, beside):
    for number in range(24):
        kind = JOB_KINDS[number % len(JOB_KINDS)]
        add(store, Wish(kind, f"{kind} {number}"))
    taken, running, clashes, lock = [], {}, [], threading.Lock()

    def work(name, engine):
        for _ in range(200):
            job = claim(engine, name, TERMS)
            if job is None:
                if len(taken) == 24:
                    return
                time.sleep(0.002)
                continue
            with lock:
                clashes.extend([job.key] if job.lane in running else [])
                running[job.lane] = job.key
                taken.append(job.key)
            with lock:
                del running[job.lane]
            assert succeed(engine, job, {"told": ""}, {})

    with ThreadPoolExecutor(4) as pool:
        for each in [pool.submit(work, f"w{n}", store if n % 2 else beside) for n in range(4)]:
            each.result()
    assert len(taken) == len(set(taken)) == 24 and not clashes
    assert {job.state for job in listed(store)} == {"succeeded"}


def test_a_silent_worker_loses_its_job_and_its_word(store):
    add(store, Wish("score", "score 1"))
    first = claim(store, "ann", TERMS)
    assert claim(store, "ben", TERMS) is None
    later = datetime.now(UTC) + timedelta(seconds=61)
    second = claim(store, "ben", TERMS, later)
    assert (second.key, second.losses, second.worker) == ("score 1", 1, "ben")
    assert not heartbeat(store, first, TERMS)
    assert not succeed(store, first, {"told": "by ann"}, {})
    assert fail(store, first, "by ann", TERMS) == "lost"
    assert succeed(store, second, {"told": "by ben"}, {}) and find(store, "score 1").outcome == {
        "told": "by ben"
    }


def test_three_failures_are_dead_with_the_first_error_and_can_be_tried_again(store):
    add(store, Wish("import", "import 1"))
    now, waits = datetime.now(UTC), []
    for error in ("the disk is full", "second", "third"):
        job = claim(store, "ann", TERMS, now)
        fail(store, job, error, TERMS, now)
        job = find(store, "import 1")
        waits.append(job.due_at and (job.due_at - now).total_seconds())
        assert claim(store, "ben", TERMS, now) is None
        now = job.due_at or now
    assert (job.state, job.error, job.attempts, waits) == ("dead", "the disk is full", 3, [60, 240, None])
    assert retry(store, job.number).state == "queued"
    assert cancel(store, job.number).state == "cancelled" and claim(store, "ben", TERMS) is None


def test_a_refusal_is_not_tried_again_and_a_killer_of_workers_is_given_up(store):
    for key in ("refused", "killer"):
        add(store, Wish("retrain", key))
        job, now = claim(store, "ann", TERMS), datetime.now(UTC)
        if key == "refused":
            assert fail(store, job, "half an export", TERMS, again=False) == "failed"
    for _ in range(TERMS.losses + 1):
        now += timedelta(seconds=61)
        claim(store, "ann", TERMS, now)
    assert find(store, "refused").state == "failed" and find(store, "refused").due_at is None
    assert find(store, "killer").state == "dead" and holder(store, "training") is None


def test_planners_beside_each_other_ask_once(store, beside):
    settings = Settings(
        home=Path("somewhere"),
        watch_folder="exports",
        timezone="UTC",
        schedule_import="0 2 * * *",
        schedule_score="0 4 * * 0",
    )
    now = datetime(2026, 11, 29, 5, tzinfo=UTC)
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda n: plan(store if n % 2 else beside, settings, now), range(8)))
    assert sorted(job.key for jobs in made for job in jobs) == ["import on 2026-11-29", "score on 2026-11-29"]


def test_a_clock_that_was_years_ahead_stops_no_schedule(store):
    settings = Settings(home=Path("somewhere"), timezone="UTC", schedule_score="0 4 * * *")
    kinds = {"schedule_report": "", "schedule_retrain": "", "schedule_drift": ""}
    settings = settings.model_copy(update={**kinds, "schedule_retention": "", "schedule_backup": ""})
    ahead, now = datetime(2036, 12, 8, 5, tzinfo=UTC), datetime(2026, 11, 29, 5, tzinfo=UTC)
    assert [job.key for job in plan(store, settings, ahead)] == ["score on 2036-12-08"]
    told = [cause.about for cause in silence_causes(settings, store, now + timedelta(hours=2))]
    assert "score on 2026-11-29" in told  # the planner that does not come is told of
    asked = [[job.key for job in plan(store, settings, now + timedelta(days=day))] for day in (0, 0, 1)]
    assert asked == [["score on 2026-11-29"], [], ["score on 2026-11-30"]]
    assert find(store, "score on 2036-12-08").state == "queued"


def test_a_lease_from_a_clock_that_was_ahead_does_not_bind_its_lane(store):
    settings, now = Settings(home=Path("somewhere")), datetime.now(UTC)
    add(store, Wish("score", "score 1"), now)
    lost = claim(store, "ann", TERMS, now + timedelta(days=30))
    told = [cause.about for cause in silence_causes(settings, store, now) if cause.about == "score 1"]
    assert told == ["score 1"]
    taken = claim(store, "ben", TERMS, now)
    assert (taken.key, taken.worker, taken.losses) == ("score 1", "ben", 1)
    assert not heartbeat(store, lost, TERMS, now) and claim(store, "cem", TERMS, now) is None
    seconds = (-50, 50)  # as far apart as two machines' clocks may be
    assert [claim(store, "cem", TERMS, now + timedelta(seconds=each)) for each in seconds] == [None, None]
    assert not [each for each in silence_causes(settings, store, now) if each.about == "score 1"]


def test_a_retry_that_a_clock_put_off_for_years_is_made_by_the_right_one(store):
    now = datetime.now(UTC)
    ahead, soon = now + timedelta(days=3650), timedelta(minutes=5)
    today, words = {"day": str(now.date())}, "the export is still being written"
    for kind in ("import", "score", "backup", "mail"):
        add(store, Wish(kind, f"{kind} 1", today), now)
    for _ in range(4):
        job = claim(store, "ann", TERMS, now)
        end = {
            "import": lambda job: put_off(store, job, words, ahead + soon, ahead),
            "score": lambda job: fail(store, job, "no room", TERMS, ahead),
            "backup": lambda job: fail(store, job, "no room", TERMS, now),  # by a right clock
            "mail": lambda job: fail(store, job, "no answer", TERMS, now, again=now + timedelta(hours=15)),
        }
        assert end[job.kind](job) in (True, "failed")
    add(store, Wish("report", "report 1", {"day": str(ahead.date())}), ahead)
    add(store, Wish("report", "report 2", today, now + timedelta(days=2)), now)
    add(store, Wish("drift", "drift 1", today), ahead)
    taken, late = {}, now + timedelta(seconds=1)
    while job := claim(store, "ben", TERMS, now):
        taken[job.kind] = job.key
        if job.kind == "import" and now < late:
            assert put_off(store, job, words, late, now)
            assert datetime.fromisoformat(find(store, job.key).outcome["since"]) == now, "it waits since now"
            assert claim(store, "ben", TERMS, now) is None, "and the week waits for it"
            now = late
        else:
            assert succeed(store, job, {"told": ""}, {}, now)
    assert taken == {"import": "import 1", "score": "score 1", "drift": "drift 1"}


def test_what_ended_by_a_clock_that_was_ahead_is_not_taken_for_the_last(store):
    from edupulse.alerts.causes import latest_ended
    from edupulse.faces.metrics import jobs_stopped
    from edupulse.jobs.done import done_with, last_import
    from edupulse.jobs.reports import data_of
    from edupulse.jobs.whole import rows_before
    from edupulse.store.tables import historical_data_imports

    now = datetime.now(UTC)
    ahead, made = now + timedelta(days=400), {"as_of": "2026-11-23"}
    for number, (kind, ended) in enumerate(
        [("import", ahead), ("score", ahead), ("import", now), ("score", now)]
    ):
        add(store, Wish(kind, f"{kind} {number}"), now)
        job, of = claim(store, "ann", TERMS, now), {**made, "code": f"{number}", "import": f"{number}" * 8}
        assert succeed(store, job, {"told": ""}, of, ended)
    for moment, rows in ((ahead, 9), (now, 7)):
        row = {"id": uuid.uuid4(), "source": "csv", "state": "finished", "started_at": moment}
        with session(store) as db:
            told = {"files": {"students.csv": {"rows_read": rows}}}
            db.execute(sa.insert(historical_data_imports).values(**row, finished_at=moment, details=told))
    assert follows(store, "score") == {"run": find(store, "import 2").run}
    assert done_with(store, "score", {**made, "code": "3"}).key == "score 3"
    assert data_of(store, date(2026, 11, 23)) == "33333333" and rows_before(store) == {"students": 7}
    assert last_import(store) == str(row["id"])
    assert {job.key for job in latest_ended(store, now)} == {"import 2", "score 3"}
    add(store, Wish("report", "report 1"), now)
    assert fail(store, claim(store, "ann", TERMS, now), "half", TERMS, ahead, again=False) == "failed"
    with session(store, read_only=True) as db:
        assert jobs_stopped(db)["report"] == 1
    assert [job.key for job in latest_ended(store, now) if job.state == "failed"] == ["report 1"]


def test_what_waits_already_is_not_asked_for_twice(store):
    settings = Settings(home=Path("somewhere"), timezone="UTC")
    now = datetime(2026, 11, 30, 9, tzinfo=UTC)
    wishes = {
        "import": {"day": "2026-11-29"},
        "score": {"as_of": "2026-11-23"},
        "report": {"day": "2026-11-29"},
    }
    for kind, asked in wishes.items():
        add(store, Wish(kind, f"{kind} 1", asked), now)
    add(store, Wish("score", "score after import 1", {"after_import": "1", "day": "2026-11-30"}), now)
    asked = [("import", {}), ("score", {"as_of": "2026-11-23"}), ("score", {}), ("report", {}), ("drift", {})]
    found = [same_waiting(store, settings, Wish(kind, "2", of), now) for kind, of in asked]
    assert [job and job.key for job in found] == ["import 1", "score 1", None, None, None]
    job = claim(store, "ann", TERMS, now)
    assert same_waiting(store, settings, Wish("import", "2"), now) is None, "it runs, and is another's matter"
    fail(store, job, "no room", TERMS, now)
    assert same_waiting(store, settings, Wish("import", "2"), now).key == job.key


def test_what_is_cancelled_while_it_runs_is_no_longer_its_workers(store):
    add(store, Wish("drift", "drift 1"))
    job = claim(store, "ann", TERMS)
    cancel(store, "drift 1")
    assert (
        not heartbeat(store, job, TERMS)
        and not succeed(store, job, {"told": ""}, {})
        and not give_back(store, job)
    )
    assert find(store, "drift 1").state == "cancelled"


def test_the_week_waits_for_an_export_that_is_still_being_written(store):
    from edupulse.jobs.imports import LOOK_AGAIN

    now, day = datetime(2026, 11, 30, 5, tzinfo=UTC), {"day": "2026-11-30"}
    for kind in ("import", "score", "report", "mail"):
        add(store, Wish(kind, f"{kind} 1", day), now)
    taken = []
    for _ in range(3):
        job = claim(store, "ann", TERMS, now)
        assert job.kind == "import" and put_off(store, job, "it is being written", now + LOOK_AGAIN, now)
        while other := claim(store, "ann", TERMS, now):
            taken.append(other.kind)
            assert succeed(store, other, {"told": ""}, {}, now)
        now += LOOK_AGAIN
    assert taken == ["mail"], "no score, and no paper, of what is about to change; letters of before go"
    assert fail(store, claim(store, "ann", TERMS, now), "never whole", TERMS, now, again=False) == "failed"
    assert claim(store, "ann", TERMS, now).kind == "score", "what was given up holds nobody up"


def test_papers_wait_for_the_scores_that_change_and_are_made_again_of_those_that_changed_later(store):
    from edupulse.jobs.imports import ask_for_scores
    from edupulse.jobs.scores import ask_for_reports, hash_of, scores_on
    from edupulse.store.tables import natural_id, predictions, students

    settings, monday = (
        Settings(home=Path("somewhere"), timezone="UTC"),
        datetime(2026, 11, 30, 12, tzinfo=UTC),
    )
    timed = {"schedule_report": "0 3 * * *", "schedule_drift": "0 2 * * *", "schedule_import": "0 4 * * *"}
    timed |= {
        "watch_folder": "exports",
        "schedule_score": "",
        "schedule_backup": "",
        "schedule_retention": "",
    }
    timed |= {"schedule_retrain": ""}
    ids, known = [natural_id("students", str(n)) for n in range(3)], predictions.c
    rows = {"as_of": date(2026, 11, 23), "horizon_days": 60, "model_version": "m1", "risk_category": "low"}
    with session(store) as db:
        db.execute(sa.insert(students), [{"id": key, "district_id": key.hex} for key in ids])
        db.execute(
            sa.insert(predictions), [rows | {"id": k, "student_id": k, "risk_score": 0.1} for k in ids]
        )
    made = {"as_of": "2026-11-23", "model": "m1"}

    def score_changes(job, risk):
        with session(store) as db:
            db.execute(sa.update(predictions).where(known.student_id == ids[0]).values(risk_score=risk))
        asked = ask_for_reports(settings, store, job, made)
        assert succeed(store, job, {"told": ""}, made)
        return asked

    def report_is_made(job):
        shown = hash_of(scores_on(store, date(2026, 11, 23), "m1"))
        assert succeed(store, job, {"told": ""}, made | {"scores": shown})

    plan(store, settings.model_copy(update=timed), monday)  # a machine that was off finds all due at once
    job = join_run(store, claim(store, "ann", TERMS))
    assert job.kind == "import" and claim(store, "ben", TERMS) is None
    ask_for_scores(store, "abcd1234", date(2026, 11, 30))
    assert succeed(store, job, {"told": ""}, {})
    job = join_run(store, claim(store, "ann", TERMS))
    assert job.key == "score after import abcd1234", "asked for last, and before the papers"
    assert score_changes(job, 0.2) is None, "no paper is older than it"
    report_is_made(papers := join_run(store, claim(store, "ann", TERMS)))
    assert papers.key == "report on 2026-11-30" and papers.run == job.run
    assert succeed(store, claim(store, "ann", TERMS), {"told": ""}, {}), "the drift"
    for number, risk in enumerate((0.2, 0.7)):  # nothing changes; one score does
        ask_for_scores(store, f"{number}bcd1234", date(2026, 12, 1))
        job = join_run(store, claim(store, "ann", TERMS))
        asked = score_changes(job, risk)
        assert (asked is not None) == (risk == 0.7)
    again = join_run(store, claim(store, "ann", TERMS))
    assert again.id == asked.id and again.run == job.run and again.arguments["day"] == "2026-12-01"
    report_is_made(again)
    add(store, Wish("score", "score by hand", {"as_of": "2026-11-23"}))
    assert score_changes(claim(store, "ann", TERMS), 0.7) is None and claim(store, "ann", TERMS) is None
    add(store, Wish("score", "score on 2026-12-06"))
    add(store, Wish("report", "report on 2026-12-07"))
    for _ in range(TERMS.attempts):  # what is tried again in a minute changes the scores then
        now = datetime.now(UTC) + timedelta(hours=1)
        with session(store) as db:
            db.execute(sa.update(jobs).where(jobs.c.state == "failed").values(due_at=now))
        assert (job := claim(store, "ann", TERMS, now)).kind == "score"
        ended = fail(store, job, "no memory", TERMS, now)
        assert (claim(store, "ann", TERMS, now) is None) == (ended == "failed"), "given up holds nobody up"


# --- real processes --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    "A small district's export, old enough to be taken."
    from edupulse.synth.district import synthesise

    folder = tmp_path_factory.mktemp("export")
    synthesise(folder, students=60, years=1, seed=3)
    for file in folder.glob("*.csv"):
        os.utime(file, (1, 1))
    return folder


@pytest.fixture
def place(tmp_path, migrated_sqlite, export):
    "Settings of a home with an empty store that watches the export."
    import shutil

    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(migrated_sqlite, home / "edupulse.db")
    settings = Settings(
        home=home, watch_folder=str(export), job_lease_seconds=1, job_backoff_seconds=0, log_level="WARNING"
    )
    engine = connect(settings.url)
    yield settings, engine
    engine.dispose()


def begin_worker(settings, engine, *words):
    "A real `edupulse worker`, forked."
    from edupulse.faces.reports import environment

    engine.dispose()
    return begin_command(["worker", *words], settings.home, {**os.environ, **environment(settings)})


def wait_for(engine, key, states, seconds=60):
    "A job that has come to one of these states."
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        job = find(engine, key)
        if job.state in states:
            return job
        time.sleep(0.02)
    raise AssertionError(f"{key} is {job.state} after {seconds} s: {job.error}")


def content(engine):
    "A hash of each table's rows, without the moments and numbers of runs."
    aside = {"created_at", "updated_at", "recorded_at", "prediction_date", "started_at", "finished_at"}
    hashes = {}
    for name in ("students", "attendance_records", "grades", "enrollments", "school_calendar", "predictions"):
        table = metadata.tables[name]
        with session(engine, read_only=True) as db:
            rows = db.execute(sa.select(*(c for c in table.c if c.name not in aside))).all()
        hashes[name] = len(rows), hashlib.sha256("\n".join(sorted(map(repr, rows))).encode()).hexdigest()
    return hashes


def whole(file):
    "Whether a page or a record has its end."
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".html":
        return text.rstrip().endswith("</html>")
    try:
        return json.loads(text) is not None
    except ValueError:
        return False


def unfinished(home):
    "Files under a final name that are not whole, or under a working name."
    final = [
        file for file in home.rglob("*") if file.suffix in (".html", ".json", ".ipynb") and file.is_file()
    ]
    return [file for file in final if not whole(file)] + list(home.rglob("*.partial"))


def kill_at_random(settings, engine, key, kills, longest, draw):
    "Workers that are killed with -9, then one that is not; how many of them were at the job."
    hit = 0
    for _ in range(kills):
        worker, until = begin_worker(settings, engine), time.monotonic() + 60
        while f":{worker.pid}:" not in (find(engine, key).worker or "") and time.monotonic() < until:
            if find(engine, key).state in ("succeeded", "dead"):
                break
            time.sleep(0.02)
        time.sleep(draw.uniform(0, longest))
        worker.kill()
        worker.communicate()
        job = find(engine, key)
        hit += job.state == "running" and f":{worker.pid}:" in job.worker
    last = begin_worker(settings, engine)
    job = wait_for(engine, key, ("succeeded", "dead", "failed"), 120)
    last.send_signal(signal.SIGTERM)
    last.communicate(timeout=60)
    return job, hit


def test_what_is_cut_or_has_a_working_name_is_found(tmp_path):
    (tmp_path / "page.html").write_text("<html><body>all</body></html>\n")
    (tmp_path / "run.json").write_text('{"id": 1}')
    assert unfinished(tmp_path) == []
    (tmp_path / "page.html").write_text("<html><body>half")
    (tmp_path / "run.json").write_text('{"id"')
    (tmp_path / ".7.partial").mkdir()
    assert {file.name for file in unfinished(tmp_path)} == {"page.html", "run.json", ".7.partial"}


def test_killed_workers_leave_a_whole_import_and_nothing_stuck(place, tmp_path, export):
    from edupulse.ingest.load import ingest_folder

    settings, engine = place
    add(engine, Wish("import", "import 1"))
    job, hit = kill_at_random(settings, engine, "import 1", kills=5, longest=1.5, draw=random.Random(0))
    assert job.state == "succeeded" and job.losses == hit and hit >= 3
    peace = connect(f"sqlite:///{tmp_path / 'peace.db'}")
    migrate(peace)
    ingest_folder(export, peace)
    assert content(engine) == content(peace) and not unfinished(settings.home)
    peace.dispose()


def test_a_worker_that_is_told_to_stop_ends_its_job_first(place):
    settings, engine = place
    add(engine, Wish("retention", "retention 1"))
    worker = begin_worker(settings, engine)
    wait_for(engine, "retention 1", ("running",))
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(60) == 0 and find(engine, "retention 1").state == "succeeded"
    worker.communicate()


def test_a_worker_that_is_there_says_so_and_one_that_hangs_or_is_gone_does_not(place):
    from edupulse.jobs.bell import alive_file

    settings, engine = place

    def ask():
        asked = begin_worker(settings, engine, "--alive")
        said = asked.communicate(timeout=60)[0].decode()
        return asked.returncode, said

    worker = begin_worker(settings.model_copy(update={"watch_folder": ""}), engine)
    until = time.monotonic() + 60
    while not alive_file(settings).exists() and time.monotonic() < until:
        time.sleep(0.05)
    there = ask()
    worker.kill()
    worker.wait()
    os.utime(alive_file(settings), (time.time() - 720,) * 2)
    hangs = ask()
    assert there[0] == 0 and "gave a sign" in there[1], there
    assert hangs == (1, "No worker has given a sign for 12 minutes; end it and start it again.\n")


def test_a_job_that_is_not_done_in_time_is_given_back_without_blame(place):
    settings, engine = place
    add(engine, Wish("import", "import 1"))
    worker = make_worker(settings, engine, grace_seconds=0)
    job = claim(engine, worker.name, worker.terms)
    worker.stop()
    assert run_job(worker, job) == "given back"
    job = find(engine, "import 1")
    assert (job.state, job.attempts, job.losses, job.worker) == ("queued", 0, 0, None)


def test_a_killed_process_is_told_as_failed_and_never_as_done(place):
    settings, engine = place
    add(engine, Wish("import", "import 1"))
    worker, before = make_worker(settings, engine), set(psutil.Process().children())

    def out_of_memory():  # whatever else this process has started, such as a database, is left alone
        while not (children := set(psutil.Process().children()) - before):
            time.sleep(0.01)
        for child in children:
            child.suspend()
        time.sleep(0.3)
        for child in children:
            child.kill()

    thread = threading.Thread(target=out_of_memory)
    thread.start()
    turn(worker)
    thread.join()
    job = find(engine, "import 1")
    assert job.state == "failed" and job.attempts == 1 and "memory" in job.error and job.due_at


def test_an_import_waits_for_an_export_that_is_written_without_an_attempt_and_not_for_ever(place, tmp_path):
    settings, engine = place
    (tmp_path / "drop").mkdir()
    (tmp_path / "drop" / "students.csv").write_text("district_id\n1\n", encoding="utf-8")
    settings = settings.model_copy(update={"watch_folder": str(tmp_path / "drop")})
    add(engine, Wish("import", "import 1"))
    worker = make_worker(settings, engine)
    for _ in range(2):
        os.utime(tmp_path / "drop" / "students.csv")
        before = datetime.now(UTC)
        assert run_job(worker, claim(engine, worker.name, worker.terms)) == "waits"
        job = find(engine, "import 1")
        assert (job.state, job.attempts, job.losses, job.error, job.worker) == ("queued", 0, 0, None, None)
        assert timedelta(minutes=4) < job.due_at - before < timedelta(minutes=6)
        assert "is still being written" in said(job) and claim(engine, "ben", TERMS) is None
        with session(engine) as db:  # five minutes go by
            due = {"due_at": before}
            db.execute(sa.update(jobs).values(**due))
    with session(engine) as db:
        since = (datetime.now(UTC) - timedelta(hours=7)).isoformat()
        db.execute(sa.update(jobs).values(outcome={**job.outcome, "since": since}))
    os.utime(tmp_path / "drop" / "students.csv")
    assert run_job(worker, claim(engine, worker.name, worker.terms)) == "failed"
    job = find(engine, "import 1")
    assert job.due_at is None and "after 6 hours" in job.error
    assert [
        job["job"] for each in job_causes(settings, engine, datetime.now(UTC)) for job in each.details["jobs"]
    ] == ["import"]
    assert retry(engine, "import 1").outcome == {}


def test_an_export_that_was_imported_is_not_imported_again_and_half_of_one_not_at_all(
    place, export, tmp_path
):
    from dataclasses import replace

    from edupulse.jobs.imports import do_import
    from edupulse.jobs.record import Refused

    settings, engine = place
    for number in (1, 2):
        add(engine, Wish("import", f"import {number}"))
        job = claim(engine, "ann", TERMS)
        done = do_import(settings, engine, job)
        succeed(engine, job, {"told": done.told}, done.provenance)
    assert done.told == "nothing changed: the export is the one of import 1"
    half = tmp_path / "half"
    half.mkdir()
    for file in export.glob("*.csv"):
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        (half / file.name).write_text("".join(lines[: len(lines) // 3]), encoding="utf-8")
        os.utime(half / file.name, (1, 1))
    before = content(engine)
    with pytest.raises(Refused, match="half extract"):
        do_import(
            settings.model_copy(update={"watch_folder": str(half)}), engine, replace(job, key="import 3")
        )
    assert content(engine) == before


def test_a_roster_is_held_against_the_term_of_the_job_s_day_not_against_the_machine_s_summer(
    place, export, tmp_path
):
    import shutil

    from edupulse.ingest.load import ingest_folder
    from edupulse.jobs.imports import do_import
    from edupulse.jobs.record import Refused

    settings, engine = place
    assert not ingest_folder(export, engine).failed
    shutil.copytree(export, cut := tmp_path / "cut")
    header, *lines = (export / "students.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (cut / "students.csv").write_text("".join([header, *lines[: len(lines) * 6 // 10]]), encoding="utf-8")
    os.utime(cut / "students.csv", (1, 1))
    days = sorted({day for (day,) in csv_rows(export / "attendance.csv", "date")})
    middle = datetime.fromisoformat(days[len(days) // 2]).replace(tzinfo=UTC)
    assert datetime.now(UTC).date() > date.fromisoformat(days[-1]), "by the machine the year has ended"
    with session(engine) as db:  # the night before that day
        imports = metadata.tables["historical_data_imports"]
        db.execute(sa.update(imports).values(started_at=middle - timedelta(hours=22)))
    settings = settings.model_copy(update={"watch_folder": str(cut), "quarantine_share": 1.0})
    for key, day in (("in term", middle.date()), ("in summer", middle.date() + timedelta(weeks=52))):
        add(engine, Wish("import", key, {"day": str(day)}))
    with pytest.raises(Refused, match=r"students\.csv .*half extract"):
        do_import(settings, engine, find(engine, "in term"))
    assert do_import(settings, engine, find(engine, "in summer")).figures["rows_read"]


def test_a_first_export_of_which_most_would_be_set_aside_waits_and_nobody_is_scored(place, export, tmp_path):
    import shutil

    from edupulse.jobs.imports import do_import
    from edupulse.jobs.record import Refused

    settings, engine = place
    shutil.copytree(export, cut := tmp_path / "cut")
    lines = (export / "students.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (cut / "students.csv").write_text("".join(lines[: len(lines) // 4]), encoding="utf-8")
    os.utime(cut / "students.csv", (1, 1))
    settings = settings.model_copy(update={"watch_folder": str(cut)})
    empty = content(engine)
    add(engine, Wish("import", "import on 2026-11-27"))
    worker = make_worker(settings, engine)
    assert run_job(worker, claim(engine, worker.name, worker.terms)) == "failed"
    job = find(engine, "import on 2026-11-27")
    assert job.due_at is None and job.attempts == 1 and content(engine) == empty
    assert "enrollments.csv: " in job.error and "would be set aside, more than 10%" in job.error
    assert "district_id: unknown_student" in job.error and job.error.endswith("FOLDER --accept")
    assert [
        job["job"] for each in job_causes(settings, engine, datetime.now(UTC)) for job in each.details["jobs"]
    ] == ["import"]
    assert not any(each.kind == "score" for each in listed(engine))
    done = do_import(settings.model_copy(update={"quarantine_share": 1.0}), engine, job)
    assert done.figures["quarantined"] > 0.1 * done.figures["rows_read"]
    settings = settings.model_copy(update={"watch_folder": str(export)})
    do_import(settings, engine, job)  # the whole export heals it
    with pytest.raises(Refused, match="half extract"):
        do_import(settings.model_copy(update={"watch_folder": str(cut)}), engine, job)


def days_of(export, inbox, days):
    "Exports that bring one day of attendance each, beside everything else, old enough to be taken."
    import shutil

    header, *lines = (export / "attendance.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    told = list(csv_rows(export / "attendance.csv", "date"))
    for day in days:
        shutil.copytree(export, folder := inbox / day)
        rows = [line for line, (of,) in zip(lines, told, strict=True) if of == day]
        (folder / "attendance.csv").write_text(header + "".join(rows), encoding="utf-8")
        for file in folder.iterdir():
            os.utime(file, (1, 1))


def test_each_of_many_exports_that_wait_is_imported_and_one_that_comes_late_is_left(place, export, tmp_path):
    from edupulse.jobs.imports import do_import

    settings, engine = place
    (inbox := tmp_path / "inbox").mkdir()
    (inbox / "notes.csv").mkdir()
    settings = settings.model_copy(update={"watch_folder": str(inbox)})
    days = sorted({day for (day,) in csv_rows(export / "attendance.csv", "date")})[-7:]
    add(engine, Wish("import", "import 1"))
    job = find(engine, "import 1")
    assert do_import(settings, engine, job).told == "nothing changed: no export has arrived"
    days_of(export, inbox, days[:2])
    do_import(settings, engine, job)
    known = sa.select(sa.func.distinct(metadata.tables["attendance_records"].c.date))

    def known_days():
        with session(engine, read_only=True) as db:
            return sorted(map(str, db.scalars(known)))

    assert known_days() == [days[1]], "of a folder that nobody has imported from the newest is taken"
    days_of(export, inbox, days[3:])
    (inbox / days[5] / "students.csv").write_text("district_id\n", encoding="utf-8")
    os.utime(inbox / days[5] / "students.csv", (1, 1))
    told = do_import(settings, engine, job).told
    assert known_days() == [days[1], *days[3:5], *days[6:]] and f"{days[5]} was left: students.csv" in told
    days_of(export, inbox, days[2:3])
    told = do_import(settings, engine, job).told
    assert f"{days[2]} came after a newer one and was left" in told and days[2] not in known_days()


def test_an_export_that_is_written_to_while_it_is_read_is_read_again(place, export, tmp_path, monkeypatch):
    import shutil

    from edupulse.ingest import load
    from edupulse.jobs.imports import do_import
    from edupulse.jobs.record import Waits

    settings, engine = place
    shutil.copytree(export, folder := tmp_path / "inbox" / "2026-11-27")
    settings = settings.model_copy(update={"watch_folder": str(folder.parent)})
    add(engine, Wish("import", "import 1"))
    job, read = find(engine, "import 1"), load.ingest_folder

    def beside(*given, **options):
        result = read(*given, **options)
        os.utime(folder / "grades.csv")
        return result

    for file in folder.iterdir():
        os.utime(file, (1, 1))
    with monkeypatch.context() as patched, pytest.raises(Waits, match="still being written"):
        patched.setattr(load, "ingest_folder", beside)
        do_import(settings, engine, job)
    os.utime(folder / "grades.csv", (2, 2))
    assert do_import(settings, engine, job).figures["changed"] == 0


def test_an_export_in_which_a_school_has_vanished_is_not_imported(place, export, tmp_path):
    import shutil

    from edupulse.ingest.load import ingest_folder
    from edupulse.jobs.record import Refused
    from edupulse.jobs.whole import check_whole

    engine = place[1]
    shutil.copytree(export, folder := tmp_path / "export")
    (own, school), *_ = csv_rows(folder / "enrollments.csv", "district_id", "school_id")
    assert not ingest_folder(folder, engine).failed
    check_whole(engine, folder)
    pupils = {
        each
        for each, there in csv_rows(folder / "enrollments.csv", "district_id", "school_id")
        if there == school
    }
    lines = (folder / "attendance.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    of = [each for (each,) in csv_rows(folder / "attendance.csv", "district_id")]
    left = [lines[0], *(line for line, each in zip(lines[1:], of, strict=True) if each not in pupils)]
    assert own in pupils and 1 < len(left) < len(lines)
    (folder / "attendance.csv").write_text("".join(left), encoding="utf-8")
    with pytest.raises(Refused, match=f"0 rows of school {school}, of which"):
        check_whole(engine, folder)


def csv_rows(file, *names):
    "Some cells of each row."
    with file.open(encoding="utf-8-sig", newline="") as lines:
        return [tuple(row[name] for name in names) for row in csv.DictReader(lines)]


@pytest.fixture(scope="module")
def own_names(export, tmp_path_factory):
    "The same export under a district's own names, half of it compressed, its mapping file, and a store that has it."
    import gzip

    from edupulse.ingest.load import ingest_folder

    folder = tmp_path_factory.mktemp("own")
    names = {file.stem: f"sis_{file.stem}.txt" for file in sorted(export.glob("*.csv"))}
    for number, (stem, own) in enumerate(names.items()):
        content = (export / f"{stem}.csv").read_bytes()
        path = folder / (f"{own}.gz" if number % 2 else own)
        path.write_bytes(gzip.compress(content) if number % 2 else content)
    mapping = folder.parent / f"{folder.name}.yaml"
    mapping.write_text("files:\n" + "".join(f"  {stem}: {{file: {own}}}\n" for stem, own in names.items()))
    engine = connect(f"sqlite:///{tmp_path_factory.mktemp('own-store') / 'store.db'}")
    migrate(engine)
    assert not ingest_folder(folder, engine, mapping).failed
    yield folder, mapping, engine
    engine.dispose()


def cut_anywhere(own_names, folder, draws, draw):
    "Cuts a file of an export at a random place, `draws` times; yields how, and what was found."
    import gzip
    import shutil

    from edupulse.ingest.contract import read_mapping
    from edupulse.jobs.whole import GROWS, WHOLE, faults

    whole, mapping, engine = own_names
    now, words = datetime.now(), read_mapping(mapping)
    assert faults(engine, whole, words, now) == {}
    shutil.copytree(whole, folder)
    files = [
        file
        for file in sorted(folder.iterdir())
        if file.name.removeprefix("sis_").partition(".")[0] in (*WHOLE, *GROWS)
    ]
    for _ in range(draws):
        file = draw.choice(files)
        before, packed = file.read_bytes(), file.suffix == ".gz"
        text = gzip.decompress(before) if packed else before
        at = draw.randrange(len(text))
        within = at > 0 and text[at - 1 : at] != b"\n"
        file.write_bytes(gzip.compress(text[:at]) if packed else text[:at])
        yield (
            file,
            within,
            text[:at].count(b"\n") - 1,
            text.count(b"\n") - 1,
            faults(engine, folder, words, now),
        )
        if packed and draw.random() < 0.3:  # or the packed file itself broke off
            file.write_bytes(before[: draw.randrange(len(before))])
            assert list(faults(engine, folder, words, now)) == [file.name]
        file.write_bytes(before)


def judge_cuts(cuts):
    "No cut within a line passes, and none that costs a file half of the students or its last day."
    for file, within, rows, before, found in cuts:
        relation = file.name.removeprefix("sis_").partition(".")[0]
        lost = rows < 0.5 * before and relation in ("students", "schools", "calendar", "enrollments")
        lost |= rows <= 0 and relation in ("attendance", "grades")
        assert not (within or lost) or list(found) == [file.name], (file.name, rows, before, found)


def test_an_export_that_broke_off_anywhere_is_never_imported_under_any_name(own_names, tmp_path):
    judge_cuts(cut_anywhere(own_names, tmp_path / "cut", 8, random.Random(4)))


@pytest.mark.soak
def test_an_export_that_broke_off_at_any_of_many_places_is_never_imported(own_names, tmp_path):
    judge_cuts(cut_anywhere(own_names, tmp_path / "cut", 1000, random.Random(5)))


def newest_days(folder: Path) -> list[tuple[Counter, dict]]:
    """Each school day of a district: the rows of its schools as known in its night, and of the school days before."""
    import pandas as pd

    rows, calendar, stays = (
        pd.read_csv(folder / f"{name}.csv", dtype=str) for name in ("attendance", "calendar", "enrollments")
    )
    known = pd.to_datetime(rows["recorded_at"].fillna(rows["date"]), format="ISO8601")
    rows = rows[known < pd.to_datetime(rows["date"]) + pd.Timedelta(days=1, hours=2)]
    school = stays.sort_values("entry_date").drop_duplicates("district_id", keep="last")
    counts = Counter(
        zip(rows["district_id"].map(school.set_index("district_id")["school_id"]), rows["date"], strict=True)
    )
    found = []
    for _, year in calendar[calendar["day_type"] == "instructional"].groupby("school_year"):
        days = {each: sorted(of["date"]) for each, of in year.groupby("school_id")}
        for day in sorted(set(year["date"])):
            before = {
                each: [past for past in of if past < day][-20:] for each, of in days.items() if day in of
            }
            usual = {
                each: [many for past in of if (many := counts[each, past])] for each, of in before.items()
            }
            found.append((Counter({each: counts[each, day] for each in usual}), usual))
    return found


def cut_off(told: Counter, share: float, by_school: bool) -> Counter:
    """What a cut leaves of a day: of each school the same share, or the first schools whole."""
    if not by_school:
        return Counter({school: round(rows * (1 - share)) for school, rows in told.items()})
    left, whole = Counter(), round(told.total() * (1 - share))
    for school in sorted(told):
        left[school] = min(told[school], whole - left.total())
    return left


@pytest.mark.soak
def test_two_years_of_nights_raise_hardly_an_alarm_and_cuts_are_noticed_by_their_depth(tmp_path):
    from edupulse.jobs.tail import thin_schools
    from edupulse.synth.district import synthesise

    nights = []
    for seed in (71, 72, 73):
        synthesise(tmp_path / str(seed), students=1500, years=2, seed=seed)
        nights += newest_days(tmp_path / str(seed))
    alarms = sum(bool(thin_schools(told, usual)) for told, usual in nights)
    noticed = {
        (share, by_school): sum(
            bool(thin_schools(cut_off(told, share, by_school), usual)) for told, usual in nights
        )
        for share in (0.1, 0.3, 0.5, 0.9)
        for by_school in (False, True)
    }
    shares = {each: many / len(nights) for each, many in noticed.items()}
    print(
        len(nights), "nights,", alarms, "alarms;", {each: round(share, 2) for each, share in shares.items()}
    )
    assert alarms < 0.01 * len(nights)
    most = shares[0.9, False]  # the days on which enough schools count
    assert most > 0.4 and shares[0.3, False] > 0.85 * most
    assert shares[0.5, True] > 0.85 * most and shares[0.9, True] == most


def test_an_export_whose_days_end_before_what_is_known_waits_for_a_person(own_names, tmp_path):
    import gzip
    import shutil

    import pandas as pd

    from edupulse.jobs.record import Refused
    from edupulse.jobs.whole import check_whole

    whole, mapping, engine = own_names
    folder = tmp_path / "earlier"
    shutil.copytree(whole, folder)
    for name, day in (("attendance", "date"), ("grades", "submission_date")):
        (file,) = folder.glob(f"sis_{name}*")
        before, rows = file.read_bytes(), pd.read_csv(file, dtype=str)
        last = rows[day] == rows[day].max()
        for kept in (last, ~last):
            text = rows[kept].to_csv(index=False).encode()
            file.write_bytes(gzip.compress(text) if file.suffix == ".gz" else text)
            if kept is last:
                check_whole(engine, folder, str(mapping))  # the newest day alone is an export
                continue
            with pytest.raises(Refused, match=rf"{file.name} ends on .* half extract"):
                check_whole(engine, folder, str(mapping))
        file.unlink()
        with pytest.raises(Refused, match="is not there"):
            check_whole(engine, folder, str(mapping))
        file.write_bytes(before)


@pytest.mark.soak  # about a quarter of an hour of processor time
def test_a_hundred_killed_workers_change_no_score(four_years, tmp_path):
    import shutil

    from edupulse.faces.demo import pick_dates
    from edupulse.faces.reports import run_report

    home = tmp_path / "home"
    shutil.copytree(four_years, home)
    settings = Settings(home=home, job_lease_seconds=2, job_backoff_seconds=0, log_level="WARNING")
    dates = pick_dates(home / "records" / "calendar.csv")
    run_report("train", {"train_until": dates.train_until, "members": 1, "max_epochs": 2}, settings=settings)
    shutil.copytree(home, tmp_path / "peace")
    peace = settings.model_copy(update={"home": tmp_path / "peace"})
    days = [str(dates.as_of - timedelta(weeks=back)) for back in range(16, 0, -1)]
    killed, left_alone = connect(settings.url), connect(f"sqlite:///{peace.home / 'edupulse.db'}")
    hits, done, draw = 0, [], random.Random(1)
    while hits < 100:
        done.append(days.pop(0))
        add(killed, Wish("score", f"score {done[-1]}", {"as_of": done[-1]}))
        job, hit = kill_at_random(settings, killed, f"score {done[-1]}", 9, 12, draw)
        assert job.state == "succeeded" and job.losses == hit
        hits += hit
    for day in done:
        add(left_alone, Wish("score", f"score {day}", {"as_of": day}))
    begin_worker(peace, left_alone, "--once").communicate()
    assert {job.state for job in listed(left_alone)} == {"succeeded"}
    assert content(killed) == content(left_alone) and not unfinished(home)
    for run in (home / "runs" / "score").glob("2*"):
        assert {"score.ipynb", "score.html", "run.json"} <= {file.name for file in run.iterdir()}
    assert not list((home / "runs").rglob("*.partial"))


# --- every kind to its end -------------------------------------------------------------------------------------------


def with_key(settings):
    "The same settings with a key for backups, away from them."
    from edupulse.keep.cipher import new_key

    file = settings.home.parent / "keys" / "backup.key"
    return settings.model_copy(update={"backup_key": str(file if file.is_file() else new_key(file))})


def do_all(settings, engine, kinds):
    "Real workers do jobs of these kinds, one after the other; how they ended."
    for number, kind in enumerate(kinds):
        add(engine, Wish(kind, f"{number} {kind}", due_at=datetime.now(UTC) - timedelta(hours=9 - number)))
    worker = begin_worker(settings, engine, "--once")
    told, errors = worker.communicate(timeout=560)
    assert worker.returncode == 0, errors.decode()
    return {job.kind: job for job in listed(engine) if job.key.partition(" ")[0].isdigit()}


def test_a_backup_is_proved_by_a_worker_and_a_refusal_waits_for_a_person(place):
    from edupulse.keep.backup import last_backup

    settings, engine = place
    settings = with_key(settings.model_copy(update={"keep_backups": 1}))
    old = settings.folder("backups") / "edupulse-20240102-010000.backup"
    for day in ("20240101", "20240102"):
        old.with_name(f"edupulse-{day}-010000.backup").write_bytes(b"old")
    done = do_all(settings, engine, ("score", "backup"))
    assert done["backup"].state == "succeeded", done["backup"].error
    assert "all equal" in done["backup"].outcome["told"] and done["backup"].outcome["removed"] == 1
    assert not old.exists()
    last = last_backup(settings.home)
    assert last.drilled_at >= last.made_at[:19] and Path(last.file).is_file()
    assert done["score"].state == "failed" and done["score"].due_at is None, "a refusal waits for a person"
    assert "nothing is made without a sound model" in done["score"].error


def test_a_backup_that_is_not_equal_waits_for_a_person_and_no_older_one_goes(place, monkeypatch):
    from edupulse.jobs import upkeep
    from edupulse.jobs.record import Refused
    from edupulse.keep import restore

    settings, engine = place
    settings = with_key(settings.model_copy(update={"keep_backups": 1}))
    upkeep.do_backup(settings, engine, None)
    before = set(settings.folder("backups").glob("*.backup"))
    time.sleep(1.1)  # a backup is called after its second
    put_back = restore.put_in_place

    def lose_a_row(folder, manifest, target):  # what a disk may do between the one reading and the other
        put_back(folder, manifest, target)
        other = connect(target.url)
        with session(other) as db:
            db.execute(sa.text("insert into schools (school_id, name) values ('x', 'x')"))
        other.dispose()

    monkeypatch.setattr(restore, "put_in_place", lose_a_row)
    with pytest.raises(Refused, match="not equal to the backup: table schools"):
        upkeep.do_backup(settings, engine, None)
    assert before < set(settings.folder("backups").glob("*.backup"))


def test_one_id_leads_through_the_log_from_the_import_to_the_mail(place):
    from edupulse.logs import configure_logs, one_run
    from edupulse.mail.outbox import Letter, put

    settings, engine = place
    log, monday = settings.home / "logs" / "a.log", datetime(2026, 11, 30, 12, tzinfo=UTC)
    times = {"schedule_import": "0 1 * * *", "schedule_score": "0 2 * * *", "schedule_report": "0 3 * * *"}
    timed, runs = settings.model_copy(update=times | {"timezone": "UTC"}), []
    plan(engine, timed, monday)  # a machine that was off finds all three due at once
    for kind in ("import", "score", "report"):
        job = join_run(engine, claim(engine, "ann", TERMS))
        assert job.key == f"{kind} on 2026-11-30" and find(engine, job.key).run == job.run
        with one_run(job.run):  # as a worker and its child do
            if kind == "report":
                add(engine, Wish("mail", f"mail after {job.key}"))
                put(engine, [Letter("digest 1", "ann@example.org", "Your week", "3 are new.")])
        succeed(engine, job, {"told": ""}, {"code": "1"})
        runs.append(job.run)
    configure_logs(file=log, stream=open(os.devnull, "w"))
    done = turn(make_worker(settings, engine))
    said = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert done.key == "mail after report on 2026-11-30" and {*runs, done.run} == {runs[0]}
    assert [each["event"] for each in said] == ["job begins", "job ended"]
    assert {each["run"] for each in said} == {runs[0]}
    assert said[1]["end"] == "failed" and "smtp_host or alert_webhook is not set" in said[1]["error"]


def proves_its_challenger(settings, engine, job):
    "A backtest of the night has judged its like, and its card shows the figures of the model that was made like it on less."
    from edupulse.faces.reports import run_report
    from edupulse.release.card import find_twin
    from edupulse.release.evidence import read_model
    from edupulse.release.gate import weigh

    challenger = read_model(engine, "challenger")
    release, kept = weigh(settings, engine, challenger)
    assert kept.fingerprint == challenger.kept["data_fingerprint"] and len(kept.folds(release.title)) == 2
    assert (
        job.outcome["gate"] == release.word
        and job.outcome["backtest"]
        and release.word in job.outcome["told"]
    )
    assert any(each.startswith("nobody has compared it") for each in release.remarks)
    twin = find_twin(challenger, settings, engine)
    page = run_report("card", {"model": "challenger"}, settings=settings).html.read_text(encoding="utf-8")
    assert (
        f"its twin {twin.version}" in page
        and twin.version != challenger.version
        and "no kept backtest has judged" not in page
    )


@pytest.mark.soak  # three trainings and a backtest
def test_every_kind_of_job_is_done_to_its_end_by_a_worker(four_years, tmp_path):
    import shutil

    from edupulse.faces.demo import pick_dates
    from edupulse.faces.reports import run_report
    from edupulse.store.lookups import model_on_record

    shutil.copytree(four_years, home := tmp_path / "home")
    dates = pick_dates(home / "records" / "calendar.csv")
    for file in (home / "records").glob("*.csv"):
        os.utime(file, (1, 1))
    settings = with_key(Settings(home=home, watch_folder=str(home / "records"), log_level="WARNING"))
    asked = {"train_until": dates.train_until, "members": 1, "max_epochs": 2}
    run_report("train", asked, settings=settings)
    engine, soon = connect(settings.url), datetime.now(UTC) - timedelta(hours=1)
    add(engine, Wish("report", "9 report", {"day": str(dates.as_of)}, soon))  # today is out of its term
    add(engine, Wish("score", "9 score", {"as_of": str(dates.as_of)}, datetime.now(UTC) - timedelta(hours=5)))
    done = do_all(settings, engine, ("import", "features", "drift", "retrain", "retention", "backup"))
    found = {kind: (job.state, job.error) for kind, job in done.items()}
    assert found == dict.fromkeys(found, ("succeeded", None)) and set(found) >= set(JOB_KINDS) - {"mail"}
    assert model_on_record(engine, "challenger").version != model_on_record(engine).version
    today = datetime.now(UTC).astimezone().date()
    assert model_on_record(engine, "challenger").version.startswith(f"risk-{today:%Y%m%d}-")
    assert "students scored" in done["score"].outcome["told"] and "promises_broken" in done["drift"].outcome
    assert not unfinished(home)
    proves_its_challenger(settings, engine, done["retrain"])
    engine.dispose()


WAITS = """
import sys
from edupulse.faces.terminal import begin, open_store
from edupulse.jobs.worker import make_worker, serve
settings = begin()
engine = open_store(settings)
print("ready", flush=True)
serve(make_worker(settings, engine, look_seconds=600))
"""


@pytest.fixture
def waits_on_postgresql(request, tmp_path, monkeypatch):
    "A migrated PostgreSQL store; SQLite's bell is heard in its own notebook."
    from databases import postgresql_database

    monkeypatch.setenv("EDUPULSE_HOME", str(tmp_path / "home"))
    template = request.getfixturevalue("migrated_postgresql")
    with postgresql_database(request.getfixturevalue("postgresql"), template) as url:
        engine = connect(url)
        yield engine, url
        engine.dispose()


def test_postgresql_s_bell_wakes_a_worker_that_waits(waits_on_postgresql, tmp_path):
    from edupulse.faces.reports import environment
    from edupulse.jobs.bell import ring

    store, url = waits_on_postgresql
    settings = Settings(home=tmp_path / "home", database_url=url, log_level="WARNING")
    worker = subprocess.Popen(
        [sys.executable, "-c", WAITS],
        env={**os.environ, **environment(settings)},
        stdout=subprocess.PIPE,
        cwd=tmp_path,
    )
    try:
        assert worker.stdout.readline() == b"ready\n"
        add(store, Wish("retention", "first"))  # it looks once before it waits
        wait_for(store, "first", ("succeeded",))
        time.sleep(1)
        add(store, Wish("retention", "second"))
        time.sleep(1.5)
        assert find(store, "second").state == "queued", "it did not wait"
        ring(settings)
        assert wait_for(store, "second", ("succeeded",)).outcome["told"].startswith("0 folders")
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.communicate(timeout=60)
    assert worker.returncode == 0
