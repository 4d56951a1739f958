"""A month of nights with twelve faults ends as the same month without any, and nobody's name is anywhere.

A district of 250 students, 30 nightly exports and 4 weeks by a clock that leaps (`month.py`), beside itself without a
fault; then what the store holds, what is green, what lies on the disk, what was mailed and where a planted student can be
found. The whole month is for `make soak`; `make test` lives through two nights of a smaller district.
"""

import gzip
import io
import os
import shutil
import sqlite3
import subprocess
import time
import zipfile
import zlib
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace
from datetime import date, datetime
from email.message import EmailMessage
from functools import partial
from pathlib import Path

import psutil
import psycopg
import pytest
import sqlalchemy as sa
from aftermath import asked, content, false_greens, halves, imported, mail_faults, table_rows
from canary import Canary, contents, hits, opened, parts_of
from databases import postgresql_database, running_server
from faults import (
    clock_change,
    database_restart,
    dead_kernel,
    duplicate_cron,
    full_disk,
    half_extract,
    killed_worker,
    mail_server_down,
    missing_parameter,
    notebook_error,
    out_of_memory,
    summer_time,
    until,
    wrong_hash,
)
from month import DAY, ZONE, District, Month, Post, live, working
from sqlalchemy.engine import make_url

from edupulse.faces.exporter import figures_once
from edupulse.ingest.load import ingest_folder
from edupulse.jobs.record import listed
from edupulse.mail.outbox import listed as outbox
from edupulse.settings import Settings
from edupulse.store.engine import connect, session
from edupulse.store.tables import import_rejects, natural_id, predictions

SCHEDULE = {
    "timezone": ZONE.key,
    "schedule_import": "15 2 * * *",
    "schedule_score": "0 4 * * 0",
    "schedule_report": "0 5 * * 1",
    "schedule_drift": "30 5 * * 1",
    "schedule_retrain": "0 3 17 * *",
    "schedule_retention": "0 6 * * 6",
    "schedule_backup": "30 6 * * 6",
}
WEEKEND = {"timezone": ZONE.key, "schedule_import": "15 2 * * *"}
FIRST = date(2026, 3, 3)  # a Tuesday; summer time begins on the first Sunday
DAWN = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=ZONE)
NIGHTS = [FIRST + DAY * number for number in range(30)]


def march(day: int) -> date:
    """A day of that month."""
    return date(2026, 3, day)


FAULTS = {
    march(8): [summer_time, dead_kernel],
    march(9): [full_disk],
    march(10): [clock_change],
    march(11): [database_restart],
    march(12): [half_extract],
    march(15): [notebook_error],
    march(16): [mail_server_down],
    march(17): [missing_parameter],
    march(22): [wrong_hash],
    march(23): [killed_worker],
    march(29): [duplicate_cron],
    march(30): [out_of_memory],
}


# --- two homes that are the same on the first morning -------------------------------------------------------------------


@contextmanager
def small_disk(folder: Path, megabytes: int):
    """A disk of its own for a folder, which can be filled, where this user may mount one."""
    folder.mkdir(parents=True)
    size = f"size={megabytes}m,mode=700"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder], capture_output=True)
    try:
        yield
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", "-l", folder], check=True)


def with_canary(folder: Path, **size) -> District:
    """A made-up district, and one student more who is nobody else."""
    from edupulse.synth.district import synthesise

    synthesise(folder, **size)
    Canary().plant(folder)
    return District(folder)


@pytest.fixture(scope="module")
def district(tmp_path_factory):
    return with_canary(tmp_path_factory.mktemp("district") / "records", students=250, years=2, seed=5)


def begin(settings: Settings, district: District) -> None:
    """The evening before: all that is known is imported, a champion is trained, and there is a first week of scores."""
    from edupulse.faces.reports import run_report
    from edupulse.jobs.scores import make_features
    from edupulse.store.migrate import migrate

    engine = connect(settings.url)
    migrate(engine)
    known = district.export(FIRST - DAY, Path(settings.watch_folder))
    assert not ingest_folder(known, engine).failed
    make_features(settings, engine)
    run_report("train", {"members": 1, "max_epochs": 2, "bootstrap_repeats": 20}, settings=settings)
    run_report("score", {"as_of": str(FIRST - DAY)}, settings=settings)
    engine.dispose()


def settings_of(place: Path, url: str = "") -> Settings:
    """A month's settings: its home, its watched folder and its key are its own."""
    from edupulse.keep.cipher import new_key

    watched, key = place / "inbox", place / "keys" / "backup.key"
    watched.mkdir(parents=True, exist_ok=True)
    if not key.exists():
        new_key(key)
    terms = {"job_lease_seconds": 5, "job_backoff_seconds": 1, "threads": 1}
    return Settings(
        home=place / "home",
        database_url=url,
        watch_folder=str(watched),
        backup_key=str(key),
        **terms,
        **SCHEDULE,
    )


@pytest.fixture(
    scope="module", params=os.environ.get("EDUPULSE_TEST_DATABASES", "sqlite,postgresql").split(",")
)
def months(request, tmp_path_factory, district):
    """The month without and with faults, both lived through."""
    root = tmp_path_factory.mktemp(request.param)
    (root / "peace").mkdir()
    with small_disk(root / "faults" / "home", 700), servers(request.param) as (server, url):
        peace = settings_of(root / "peace", url)
        begin(peace, district)
        lived, faulty = [], twin(peace, root / "faults")
        for settings, faults in ((peace, {}), (faulty, FAULTS)):
            with Post().working() as post:
                told = settings.model_copy(update=post.settings)
                lived.append(
                    through(Month(told, told.home.parent, district, DAWN, server, Canary(), post), faults)
                )
        yield lived


@contextmanager
def servers(kind: str):
    """A server that can be restarted, and the URL of an empty database on it; nothing where the store is a file."""
    if kind == "sqlite":
        yield None, ""
        return
    with running_server() as server, postgresql_database(server.url) as url:
        yield server, url


def twin(peace: Settings, place: Path) -> Settings:
    """Another home, another database, with the same in them."""
    from edupulse.keep.unpack import move_artifacts

    url, there = peace.database_url, make_url(peace.url)
    if url:
        other = there.set(database=f"{there.database}_faults")
        administration = there.set(drivername="postgresql", database="postgres")
        with psycopg.connect(administration.render_as_string(hide_password=False), autocommit=True) as db:
            db.execute(f"create database {other.database} template {there.database}")
        url = other.render_as_string(hide_password=False)
    settings = settings_of(place, url)
    shutil.copytree(peace.home, settings.home, dirs_exist_ok=True)
    move_artifacts(settings.home, str(peace.home))
    return settings


def through(month: Month, faults: dict) -> Month:
    """A month that is lived through, and what it took."""
    began, before = time.monotonic(), psutil.Process().cpu_times()
    with working(month) if faults else nullcontext():
        live(month, NIGHTS, faults)
        until(lambda: not outbox(month.engine, 1000, ("queued", "sending")))
    spent = sum(psutil.Process().cpu_times()[:4]) - sum(before[:4])
    jobs = listed(month.engine, 1000)
    print(
        f"\n{len(NIGHTS)} nights, {len(jobs)} jobs, {sum(job.attempts for job in jobs)} failed attempts, "
        f"{sum(job.losses for job in jobs)} lost workers; {time.monotonic() - began:.0f} s, {spent:.0f} CPU-s",
        *month.ended,
        sep="\n  ",
    )
    return month


# --- the whole month ------------------------------------------------------------------------------------------------------


def places(month: Month) -> dict:
    """All that is told to somebody, or lies where others look."""
    home, took = month.settings.home, month.post.office.took if month.post else []
    told = [
        month.said,
        *home.glob("logs/*"),
        *home.glob("mlflow.db*"),
        *(each for each in home.glob("mlartifacts/**/*") if each.is_file()),
    ]
    return {
        **{str(file.relative_to(month.place)): contents(file) for file in told},
        "names of files": iter(["\n".join(str(file.relative_to(home)) for file in home.rglob("*")).encode()]),
        "metrics": iter([figures_once(month.settings).encode()]),
        "jobs": iter([repr(listed(month.engine, 1000)).encode()]),
        "alerts": iter("\n".join(table_rows(month, "alerts")).encode().splitlines()),
        **{f"mail {number}": parts_of(mail) for number, (_, mail) in enumerate(took)},
        "webhook": iter([repr(month.post.hooked).encode()] if month.post else []),
    }


@pytest.mark.soak  # about half an hour of processor time for each database
def test_a_month_with_twelve_faults_ends_as_one_without(months):
    peace, faulty = months
    assert len(faulty.ended) == 14 and not peace.ended
    assert set(asked(peace)) == set(asked(faulty)) and set(asked(peace).values()) == {"succeeded"}
    unlike = {key: state for key, state in asked(faulty).items() if state != "succeeded"}
    assert unlike == {f"import on {march(12)}": "failed"}
    assert content(faulty) == content(peace)
    for month in months:
        assert not false_greens(month) and not halves(month.settings.home) and not mail_faults(month)
        assert len(month.post.office.took) >= 15  # letters of four weeks


@pytest.mark.soak
def test_nobody_is_named_by_what_a_month_tells(months):
    _, month = months
    student = natural_id("students", month.canary.number)
    with session(month.engine, read_only=True) as db:
        refused = db.scalars(sa.select(import_rejects.c.value)).all()
        scores = db.scalars(sa.select(predictions.c.as_of).where(predictions.c.student_id == student)).all()
    assert sum(month.canary.last in (each or "") for each in refused) > 200 and len(scores) >= 5
    assert not hits(places(month), month.canary.needles(str(student)))
    assert found_when_logged(month)


def found_when_logged(month: Month) -> bool:
    """Whether the search finds a name that somebody has logged."""
    with month.said.open("a", encoding="utf-8") as said:
        said.write(f"looked at {month.canary.name}\n")
    wanted = {f"said.txt: {word} as it is" for word in (month.canary.first, month.canary.last)}
    return wanted <= set(hits(places(month), month.canary.needles()))


# --- the same, short --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small_district(tmp_path_factory):
    return with_canary(tmp_path_factory.mktemp("district") / "records", students=60, years=1, seed=3)


@pytest.fixture(scope="module")
def weekend(tmp_path_factory, small_district, migrated_sqlite):
    """Two nights of imports with a half extract, a killed worker, summer time and a clock that goes back."""
    place = tmp_path_factory.mktemp("weekend")
    settings = settings_of(place).model_copy(update=dict.fromkeys(SCHEDULE, "") | WEEKEND)
    settings.home.mkdir()
    shutil.copy(migrated_sqlite, settings.home / "edupulse.db")
    month = Month(settings, place, small_district, datetime(2026, 3, 7, tzinfo=ZONE), None, Canary())
    assert not ingest_folder(small_district.export(march(6), place), month.engine).failed
    only_import = partial(killed_worker, kinds=("import",))
    faults = {march(7): [half_extract], march(8): [summer_time, only_import, clock_change]}
    with working(month):
        live(month, [march(day) for day in (7, 8)], faults)
    return month


def test_two_nights_with_faults_end_as_without(weekend, tmp_path, migrated_sqlite):
    shutil.copy(migrated_sqlite, tmp_path / "edupulse.db")
    peace = replace(weekend, settings=weekend.settings.model_copy(update={"home": tmp_path}), place=tmp_path)
    for folder in (weekend.place / str(march(6)), weekend.watched / str(march(8))):
        assert not ingest_folder(folder, peace.engine).failed
    assert asked(weekend) == {f"import on {march(7)}": "failed", f"import on {march(8)}": "succeeded"}
    assert content(weekend) == content(peace) and len(weekend.ended) == 4
    assert not false_greens(weekend) and not halves(weekend.settings.home)


def test_a_job_that_says_it_is_done_and_is_not_is_found(weekend, tmp_path):
    [job] = [job for job in listed(weekend.engine, 100) if job.key == f"import on {march(8)}"]
    assert not imported(weekend, replace(job, outcome={**job.outcome, "rows_read": 1}))
    (tmp_path / "page.html").write_text("<html><p>half", encoding="utf-8")
    (tmp_path / "figures.json").write_text('{"half": ', encoding="utf-8")
    assert halves(tmp_path) == ["figures.json", "page.html"]


def test_nobody_is_named_by_what_two_nights_tell(weekend):
    student = str(natural_id("students", weekend.canary.number))
    with session(weekend.engine, read_only=True) as db:
        refused = db.scalars(sa.select(import_rejects.c.value)).all()
    assert sum(weekend.canary.last in (each or "") for each in refused) >= 6  # each import told it again
    assert not hits(places(weekend), weekend.canary.needles(student))
    assert found_when_logged(weekend)


def test_a_name_is_found_however_it_is_written_and_packed(tmp_path):
    canary, found = Canary(), set()
    for how, needle in canary.needles("0f1e2d3c-0000-4000-8000-000000000000").items():
        packed = [needle.upper() if needle.isascii() else needle, gzip.compress(needle)]
        packed.append(b"%PDF-1.7\nstream\n" + zlib.compress(b"(" + needle + b") Tj") + b"\nendstream")
        box = io.BytesIO()
        with zipfile.ZipFile(box, "w", zipfile.ZIP_DEFLATED) as made:
            made.writestr("inner.txt", b"before " + needle)
        for place in map(opened, [*packed, box.getvalue()]):
            assert f"here: {how}" in hits(
                {"here": place}, canary.needles("0f1e2d3c-0000-4000-8000-000000000000")
            )
        found.add(how)
    assert len(found) > 150
    mail = EmailMessage()
    mail["Subject"], mail["To"] = f"About {canary.name}", "ann@example.org"
    mail.set_content(f"{canary.name} was born on {canary.born}", cte="base64")
    file = tmp_path / "a.db"
    with closing(sqlite3.connect(file)) as db, db:
        db.execute("create table t (a text, b blob)")
        db.execute(
            "insert into t values (?, ?)", ("x" * 5000 + canary.first, gzip.compress(canary.last.encode()))
        )
    assert {"mail: Zoëquill as it is", "mail: 1997-11-23 as it is"} <= set(
        hits({"mail": parts_of(mail.as_bytes())}, canary.needles())
    )
    assert {"db: Zoëquill as it is", "db: Vexborówgh as it is"} <= set(
        hits({"db": contents(file)}, canary.needles())
    )
    assert not hits({"clean": iter([b"Zoe Quill was born in 1997"])}, canary.needles())
