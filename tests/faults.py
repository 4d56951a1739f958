"""Twelve faults of a month, each really planted, each with what must become of it.

A fault is planted around one day of a `Month`: it is there while the day is lived through, it is mended at the end of the
day as a person would, and what it did is asserted and noted in `month.ended`. What nobody has to mend has healed by then.
"""

import json
import os
import random
import resource
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import date, timedelta
from pathlib import Path

import psutil
from month import DAY, Month

from edupulse.jobs.record import Job, listed

# --- how a fault is planted and looked after ----------------------------------------------------------------------------


def until(condition: Callable, seconds: float = 120):
    """What a condition gives as soon as it gives something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with suppress(psutil.Error):
            if found := condition():
                return found
        time.sleep(0.02)
    raise AssertionError(f"{condition} was never so in {seconds} s")


@contextmanager
def beside(act: Callable, *given) -> Iterator[None]:
    """Do something beside what happens inside, and hear of its errors."""
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(act, *given)
        yield
        done.result()


def at_work(month: Month, key: str) -> psutil.Process | None:
    """The process of a job that runs now."""
    job = month.job(key)
    if job is None or job.state != "running":
        return None
    children = psutil.Process(int(job.worker.split(":")[1])).children()
    return next((each for each in children if job.id.hex in each.cmdline()), None)


def kernel(month: Month, key: str) -> psutil.Process | None:
    """The kernel of a job that runs now."""
    process = at_work(month, key)
    below = process.children(recursive=True) if process else []
    return next((each for each in below if "ipykernel_launcher" in " ".join(each.cmdline())), None)


def failed_once(month: Month, key: str) -> bool:
    """Whether an attempt of a job has failed."""
    job = month.job(key)
    return bool(job and job.attempts)


def healed(month: Month, key: str, fault: str, told: str = "", lost: int = 0) -> None:
    """The job was done in the end by itself, and what had happened is on record."""
    job = month.job(key)
    assert job.state == "succeeded" and job.losses >= lost, (key, job.state, job.losses, job.error)
    assert told.lower() in (job.error or "").lower(), (key, job.error)
    on_record = f"told: {job.error}" if job.error else f"its worker was lost {job.losses} times"
    month.ended.append(f"{fault}: {key} healed; {on_record}")


def alerted(month: Month, job: Job) -> bool:
    """Whether somebody has a mail about a job, or about another of its kind that failed before it for the same reason."""
    mails = [mail.get_content() for mail in month.post.office.read() if not mail.is_multipart()]
    told = [" ".join(text.split()) for text in mails]
    return any(job.key in text or " ".join(job.error.split()) in text for text in told)


def told_and_mended(month: Month, key: str, fault: str, told: str) -> None:
    """The job failed, said so in words and in a mail; after the mend a person's word was enough."""
    job = month.job(key)
    assert job.state in ("failed", "dead") and job.due_at is None, (key, job.state, job.due_at)
    assert told.lower() in (job.error or "").lower(), (key, job.error)
    overview = month.command("jobs", "list").stdout
    assert f"{job.number}  {key}: " in overview and job.error in overview
    until(lambda: alerted(month, job))
    assert month.command("jobs", "retry", job.number).returncode == 0
    month.settle()
    assert month.job(key).state == "succeeded", month.job(key)
    month.ended.append(f"{fault}: {key} was {job.state} and told: {job.error}; done after the mend")


# --- processes that die -------------------------------------------------------------------------------------------------


@contextmanager
def dead_kernel(month: Month, day: date) -> Iterator[None]:
    """kill -9 of the kernel in which the weekly scores are made."""
    key = f"score on {day}"
    with beside(lambda: until(lambda: kernel(month, key)).kill()):
        yield
    healed(month, key, "dead kernel", told="kernel died")


@contextmanager
def killed_worker(month: Month, day: date, kinds: tuple[str, ...] = ("import", "report")) -> Iterator[None]:
    """kill -9 of the worker at a random moment of the day's import and of its report."""
    keys = [f"{kind} on {day}" for kind in kinds]

    def kill_each() -> None:
        draw = random.Random(str(day))
        for key in keys:
            until(lambda key=key: at_work(month, key))
            time.sleep(draw.uniform(0, 1.5))
            month.workers[0].kill()

    with beside(kill_each):
        yield
    for key in keys:
        healed(month, key, "killed worker", lost=1)


@contextmanager
def out_of_memory(month: Month, day: date, kind: str = "drift") -> Iterator[None]:
    """A job's process gets hardly more memory than it has when it begins (RLIMIT_AS)."""
    key = f"{kind} on {day}"

    def starve() -> None:
        process = until(lambda: at_work(month, key))
        process.rlimit(resource.RLIMIT_AS, (process.memory_info().vms + 2**27,) * 2)

    with beside(starve):
        yield
    healed(month, key, "out of memory", told="memory")


# --- what the work stands on goes away ----------------------------------------------------------------------------------


@contextmanager
def full_disk(month: Month, day: date, kind: str = "report") -> Iterator[None]:
    """The disk of the home fills up while a job writes, and has room again once that was told, or could not even be told."""
    key, ballast = f"{kind} on {day}", month.settings.home / "ballast"

    mounted = month.settings.home.is_mount()

    def fill_and_free() -> None:
        process = until(lambda: at_work(month, key))
        if not mounted:  # this user may not mount a disk: no file of the job may grow
            process.rlimit(resource.RLIMIT_FSIZE, (2**12,) * 2)
            return
        fill(ballast)
        with suppress(AssertionError):
            until(lambda: failed_once(month, key), 20)
        ballast.unlink()

    with beside(fill_and_free):
        yield
    job = month.job(key)
    assert job.attempts or job.losses, f"{key} did not notice"
    healed(month, key, f"full disk ({'tmpfs' if mounted else 'RLIMIT_FSIZE'})")


@contextmanager
def mail_server_down(month: Month, day: date) -> Iterator[None]:
    """Nobody answers at the mail server's address when the week's letters go, and a minute later somebody does."""
    from edupulse.mail.outbox import listed as letters

    before = len(month.post.office.took)
    month.post.close()

    def back() -> None:
        until(lambda: any(letter.attempts for letter in letters(month.engine, 1000, ("queued",))), 600)
        assert len(month.post.office.took) == before
        month.post.open()

    with beside(back):
        yield
    told = [
        job
        for job in listed(month.engine, 1000)
        if job.kind == "mail" and "does not answer" in (job.error or "")
    ]
    waited = [letter for letter in letters(month.engine, 1000) if letter.attempts]
    assert told and waited and {letter.state for letter in waited} == {"sent"}
    assert len(month.post.office.took) > before
    month.ended.append(f"mail server down: {len(waited)} letters came later; told: {told[0].error}")


def fill(ballast: Path) -> None:
    """Take all the room that is left on a disk."""
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(2**20)):
            pass
    with ballast.open("ab", buffering=0) as file, suppress(OSError):
        while file.write(bytes(1)):
            pass


@contextmanager
def database_restart(month: Month, day: date) -> Iterator[None]:
    """PostgreSQL is stopped while an import writes, and started again; SQLite is locked for longer than anybody waits."""
    from edupulse.ingest.write import lock_holders

    key = f"import on {day}"

    def go_away() -> None:
        until(lambda: at_work(month, key))
        if month.server:
            until(lambda: lock_holders(month.engine))  # its transaction is open, and ends with the server
            assert month.job(key).state == "running", "the import was done before the server was stopped"
            month.server.stop("immediate")
            time.sleep(3)
            month.server.start()
            return
        with sqlite3.connect(month.settings.home / "edupulse.db", timeout=60, isolation_level=None) as holder:
            holder.execute("begin immediate")
            assert month.job(key).state == "running", "the import was done before the store was locked"
            time.sleep(65)
            holder.execute("rollback")

    with beside(go_away):
        yield
    job = month.job(key)
    assert job.losses or (job.attempts and job.error), f"{key} did not notice"
    healed(month, key, "database restart" if month.server else "database locked")


# --- what is delivered is not what was agreed ---------------------------------------------------------------------------


@contextmanager
def half_extract(month: Month, day: date) -> Iterator[None]:
    """The export's transfer broke off: a third of the students, with a date on which nobody writes any more."""
    key, file = f"import on {day}", month.watched / str(day) / "students.csv"
    moment, lines = file.stat().st_mtime, file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(lines[: len(lines) // 3]), encoding="utf-8")
    os.utime(file, (moment, moment))
    yield
    job = month.job(key)
    assert job.state == "failed" and job.due_at is None and "half extract" in job.error, job
    until(lambda: month.post is None or alerted(month, job))
    month.ended.append(f"half extract: {key} failed and told: {job.error}")


@contextmanager
def wrong_hash(month: Month, day: date) -> Iterator[None]:
    """A byte too many in the champion's folder."""
    from edupulse.store.lookups import model_on_record

    folder = month.settings.home / "models" / model_on_record(month.engine, "champion").version
    file = max(folder.rglob("*.safetensors"), key=lambda each: each.stat().st_size)
    whole = file.read_bytes()
    file.write_bytes(whole + b"\0")
    yield
    file.write_bytes(whole)
    told_and_mended(month, f"score on {day}", "wrong hash", told="was changed")


@contextmanager
def broken_report(month: Month, name: str, spoil: Callable[[list], None]) -> Iterator[None]:
    """A report of the installation whose cells are spoilt."""
    file = month.installation / "reports" / f"{name}.ipynb"
    whole = file.read_text(encoding="utf-8")
    notebook = json.loads(whole)
    spoil([cell for cell in notebook["cells"] if cell["cell_type"] == "code"])
    file.write_text(json.dumps(notebook), encoding="utf-8")
    yield
    file.write_text(whole, encoding="utf-8")


@contextmanager
def missing_parameter(month: Month, day: date) -> Iterator[None]:
    """The training report of the installation no longer knows `register_alias`."""

    def forget(cells: list) -> None:
        first = next(cell for cell in cells if "parameters" in cell["metadata"].get("tags", []))
        first["source"] = [line for line in first["source"] if not line.startswith("register_alias")]

    with broken_report(month, "train", forget):
        yield
    told_and_mended(month, f"retrain on {day}", "missing parameter", told="register_alias")


@contextmanager
def notebook_error(month: Month, day: date) -> Iterator[None]:
    """The last cell of the score report fails, and what it says holds a student's name."""

    def slip(cells: list) -> None:
        cells[-1]["source"] = [f"{{}}['{month.canary.name}']"]

    with broken_report(month, "score", slip):
        yield
    told_and_mended(month, f"score on {day}", "notebook error", told="KeyError")


# --- hands and clocks ---------------------------------------------------------------------------------------------------


@contextmanager
def duplicate_cron(month: Month, day: date, kind: str = "score") -> Iterator[None]:
    """A second worker beside the first, and somebody who starts the same by hand while it runs."""
    key = f"{kind} on {day}"

    def start_by_hand() -> None:
        until(lambda: at_work(month, key))
        refused = month.command("jobs", "start", kind)
        assert refused.returncode == 1 and f"{key} is at work since" in refused.stderr, refused

    second = month.start_worker()
    with beside(start_by_hand):
        yield
    month.workers.remove(second)
    second.terminate()
    assert second.wait(60) == 0
    job = month.job(key)
    assert (job.state, job.attempts, job.losses) == ("succeeded", 0, 0), job
    month.ended.append(f"duplicate cron: {key} was done once; the second start was told who holds it")


@contextmanager
def clock_change(month: Month, day: date) -> Iterator[None]:
    """In the evening the clock is put back by a day, and then to where it was."""
    yield
    before, evening = {job.key for job in listed(month.engine, 1000)}, month.now
    for moment in (evening - DAY, evening - timedelta(hours=1), evening):
        month.set_clock(moment)
        time.sleep(1.5)  # a few looks of the worker
        month.settle()
    after = {job.key for job in listed(month.engine, 1000)}
    assert after == before, after - before
    month.ended.append("clock change: put back by a day and forward again, nothing was asked for twice")


@contextmanager
def summer_time(month: Month, day: date) -> Iterator[None]:
    """The night has no 02:15, at which the import is due."""
    yield
    job = month.job(f"import on {day}")
    assert job.state == "succeeded", job
    month.ended.append("summer time: the import of 02:15, which that night does not have, ran once")
