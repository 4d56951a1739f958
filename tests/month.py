"""A month of a district under a compressed clock: nights that bring exports, a real worker, and what it left behind.

A `District` knows what its office knew on each day, and exports that. A `Month` is one home with one store and one real
`edupulse worker` in a process of its own, whose clock is a file: it leaps to the next moment at which something is due as
soon as everything that was due is settled. Leases and heartbeats stay in real time. The worker runs from an installation
of its own, so that a report can be broken there as an upgrade would break it. A month without a worker does the same jobs
in this process, in half of the time.

Run as a program this is that worker: `python month.py CLOCK`.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import psutil
import sqlalchemy as sa
from mailservers import PostOffice, free_port, mail_server, webhook

ROOT = Path(__file__).resolve().parent.parent
ZONE = ZoneInfo("America/Chicago")
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
OPEN = ("queued", "running", "failed")


# --- what the district knows, and when ---------------------------------------------------------------------------------

TOLD = {
    "enrollments": "coalesce(recorded_at, entry_date)",
    "attendance": "coalesce(recorded_at, date)",
    "grades": "coalesce(recorded_at, submission_date, due_date)",
    "discipline": "coalesce(recorded_at, incident_date)",
}  # file → when the office was told of a row
KNOWN = {
    "students": "select * from whole",
    "staff": "select * from whole",
    "caseloads": "select * from whole",
    "schools": "select * replace (least(submitted_through, $yesterday) as submitted_through) from whole",
    "calendar": "select * replace (if(submitted_at < $today, submitted_at, null) as submitted_at) from whole",
    "enrollments": f"""
        select * exclude (gone) replace (
            if(gone, exit_date, null) as exit_date,
            if(gone, exit_reason, null) as exit_reason,
            if(gone, exit_recorded_at, null) as exit_recorded_at,
            if(superseded_at < $today, superseded_at, null) as superseded_at
        )
        from (select *, coalesce(exit_recorded_at, exit_date) < $today as gone from whole)
        where {TOLD["enrollments"]} < $today""",
} | {
    name: f"""
        select * replace (if(superseded_at < $today, superseded_at, null) as superseded_at)
        from whole where {TOLD[name]} < $today and {TOLD[name]} >= $since"""
    for name in ("attendance", "grades", "discipline")
}  # file → what of it is known before a day; all values are text, as they stand in the file


@dataclass(frozen=True)
class District:
    """The canonical files of a whole district, of which each night tells what is known by then."""

    records: Path

    def export(self, day: date, watched: Path, since: date = date.min) -> Path:
        """The export that waits on the morning of a day, under the day's name; of records only those since a day."""
        beside, folder = watched / f".{day}", watched / str(day)
        beside.mkdir(parents=True)
        for file in sorted(self.records.glob("*.csv")):
            with duckdb.connect() as db:
                db.execute(f"create view whole as from read_csv('{file}', all_varchar = true)")
                days = {"today": str(day), "yesterday": str(day - DAY), "since": str(since)}
                query = KNOWN[file.stem]
                asked = {name: value for name, value in days.items() if f"${name}" in query}
                db.execute(query, asked).df().to_csv(beside / file.name, index=False)
            long_settled = datetime(day.year - 10, day.month, day.day).timestamp()
            os.utime(beside / file.name, (long_settled, long_settled))
        return beside.rename(folder)


# --- where its mail arrives ---------------------------------------------------------------------------------------------


@dataclass
class Post:
    """A real mail server that can be closed and opened again, and a listener that is a webhook."""

    office: PostOffice = field(default_factory=PostOffice)
    port: int = field(default_factory=free_port)
    hook: str = ""
    hooked: list = field(default_factory=list)

    @contextmanager
    def working(self) -> Iterator["Post"]:
        """Both listen."""
        with webhook() as (self.hook, self.hooked):
            self.open()
            yield self
            self.close()

    def open(self) -> None:
        """Listen, at the same port as before."""
        self.server = mail_server(self.office, None, port=self.port)
        self.server.__enter__()

    def close(self) -> None:
        """Answer nobody."""
        self.server.__exit__(None, None, None)

    @property
    def settings(self) -> dict:
        """How a worker finds both."""
        way = {"smtp_host": "127.0.0.1", "smtp_port": self.port, "smtp_security": "none"}
        told = {"alert_mail": "operations@example.org", "alert_webhook": self.hook}
        return {
            **way,
            **told,
            "mail_from": "edupulse@example.org",
            "dashboard_url": "https://pulse.example.org",
        }


# --- the installation, the clock and the worker -------------------------------------------------------------------------


def install(folder: Path) -> Path:
    """An installation of EduPulse that belongs to one month."""
    for name in ("edupulse", "reports", "sql"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("*.pyc.*"))  # half written
    return folder


def work(clock: Path) -> None:
    """What `edupulse worker` does, but for the hour."""
    from edupulse.faces.terminal import begin, open_store, results_alone
    from edupulse.jobs.worker import make_worker, serve

    settings = begin()
    with results_alone():
        engine = open_store(settings)
        hour = {"clock": lambda: datetime.fromisoformat(clock.read_text()), "look_seconds": 0.2}
        serve(make_worker(settings, engine, **hour))


@dataclass
class Month:
    """One home, one store, one installation, one clock; and as many workers as are started."""

    settings: object  # edupulse.settings.Settings
    place: Path  # installation, clock and what the workers said
    district: District
    now: datetime  # by the clock
    server: object = None  # databases.Server, where the store is not a file
    canary: object = None  # canary.Canary, who is among the students
    post: Post | None = None
    workers: list[subprocess.Popen] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)  # how each fault ended, in a line

    def __post_init__(self):
        from edupulse.store.engine import connect

        self.engine = connect(self.settings.url)
        self.watched = Path(self.settings.watch_folder)
        self.installation = self.place / "installation"
        if not self.installation.is_dir():
            install(self.installation)
        self.set_clock(self.now)

    @property
    def said(self) -> Path:
        """What all workers and commands have said to people."""
        return self.place / "said.txt"

    def set_clock(self, now: datetime) -> None:
        """Put the clock to a moment, forward or back."""
        self.now, beside = now, self.place / "clock.new"
        beside.write_text(now.astimezone(UTC).isoformat())
        beside.replace(self.place / "clock")

    def environment(self) -> dict[str, str]:
        """The month's settings and installation, for a process."""
        from edupulse.faces.reports import environment

        return {**os.environ, **environment(self.settings), "PYTHONPATH": str(self.installation)}

    def start_worker(self) -> subprocess.Popen:
        """One more worker."""
        call = [sys.executable, __file__, str(self.place / "clock")]
        with self.said.open("ab") as said:
            made = subprocess.Popen(call, cwd=self.place, env=self.environment(), stdout=said, stderr=said)
        self.workers.append(made)
        return made

    def keep_alive(self) -> None:
        """Start a worker where one has died, as the machine's own supervisor does."""
        for dead in [each for each in self.workers if each.poll() is not None]:
            self.workers.remove(dead)
            self.start_worker()

    def command(self, *words: str) -> subprocess.CompletedProcess:
        """An `edupulse` command, as a person types it."""
        call = [sys.executable, "-c", "from edupulse.faces.cli import main; main()", *words]
        done = subprocess.run(call, cwd=self.place, env=self.environment(), capture_output=True, text=True)
        with self.said.open("a") as said:
            said.write(done.stderr)
        return done

    # --- time passes ---

    def job(self, key: str):
        """A job by its name; None before it was asked for, or while the store does not answer."""
        from edupulse.jobs.record import find

        with suppress(LookupError, ConnectionError, sa.exc.DBAPIError):
            return find(self.engine, key)
        return None

    def waiting(self) -> list[str]:
        """What is due and has not come to an end."""
        from edupulse.jobs.record import listed
        from edupulse.jobs.schedule import due

        # The worker asks and takes meanwhile: what is not asked for comes first, or it would be in neither.
        unasked = [wish.key for wish in due(self.engine, self.settings, self.now)]
        jobs = [job for job in listed(self.engine, 1000, OPEN) if job.state != "failed" or job.due_at]
        return unasked + [f"{job.key}: {job.state}, {job.error}" for job in jobs]

    def settle(self, seconds: float = 300) -> None:
        """Wait until all that is due by the clock has come to an end, whatever end."""
        until, waits = time.monotonic() + seconds, ["the store"]
        while waits and time.monotonic() < until:
            self.keep_alive()
            time.sleep(0.1) if self.workers else self.do_here()
            with suppress(ConnectionError, sa.exc.DBAPIError):
                waits = self.waiting()
        assert not waits, f"after {seconds} s, at {self.now}, there still wait {waits}"

    def do_here(self) -> None:
        """What is due, in this process: of a month that has no worker, and nothing to fear."""
        from edupulse.jobs.child import answer_of, find_work
        from edupulse.jobs.lease import claim
        from edupulse.jobs.post import ask_for_mail
        from edupulse.jobs.schedule import plan
        from edupulse.jobs.worker import make_worker, settle_answer

        worker = make_worker(self.settings, self.engine)
        plan(self.engine, self.settings, self.now)
        ask_for_mail(self.settings, self.engine)
        while job := claim(self.engine, worker.name, worker.terms):
            work = find_work(job.kind)
            settle_answer(
                worker, job, answer_of(lambda work=work, job=job: work(self.settings, self.engine, job))
            )

    def live_through(self, day: date) -> None:
        """A local day: its export arrives, then the clock leaps from one due moment to the next."""
        from edupulse.jobs.schedule import upcoming

        while moment := min(upcoming(self.settings, self.now).values()):
            if moment.date() > day:
                return
            self.set_clock(moment.replace(tzinfo=ZONE) + MINUTE)
            self.settle()

    def stop(self) -> None:
        """End the workers as the machine's supervisor does."""
        for each in self.workers:
            each.terminate()
        for each in self.workers:
            each.wait(60)
        self.workers.clear()


@contextmanager
def working(month: Month) -> Iterator[Month]:
    """The month with a worker, and without any afterwards, whatever happens."""
    month.start_worker()
    try:
        yield month
        month.stop()
    finally:
        for each in month.workers:
            for child in psutil.Process(each.pid).children(recursive=True) if each.poll() is None else []:
                with suppress(psutil.Error):
                    child.kill()
            each.kill()
            each.wait()
        month.engine.dispose()


def live(month: Month, days: list[date], faults: dict) -> None:
    """Day by day, each with the fault that falls on it."""
    from contextlib import ExitStack

    for day in days:
        month.district.export(day, month.watched, since=date(day.year - (day.month < 8), 8, 1))
        with ExitStack() as planted:
            for fault in faults.get(day, ()):
                planted.enter_context(fault(month, day))
            month.live_through(day)


if __name__ == "__main__":
    work(Path(sys.argv[1]))
