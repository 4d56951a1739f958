"""What a month has left behind: what its store holds, whether what is green was done, and whether anything is half."""

import hashlib
import json
import sqlite3
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import sqlalchemy as sa
from month import Month

from edupulse.jobs.record import Job, listed
from edupulse.mail.outbox import listed as outbox
from edupulse.store.engine import session
from edupulse.store.tables import historical_data_imports, metadata, predictions

MOMENTS = {
    "created_at",
    "updated_at",
    "prediction_date",
    "started_at",
    "finished_at",
    "training_date",
    "queued_at",
}
MOMENTS |= {"due_at", "claimed_until", "sent_at", "imported_at", "logged_at"}
NUMBERS = {"mlflow_run", "import_id", "attempts"}
ASIDE = {
    "jobs": "what was done, and how often it was tried, is what differs",
    "alerts": "what was wrong is what differs",
    "historical_data_imports": "a night that was not imported has no row; the last import is compared by itself",
    "import_rejects": "each import tells its rejects again; they are compared as a set",
    "mails": "letters about what was wrong are what differs; those of the week are compared by key",
    "audit_log": "a chain of moments",
    "audit_head": "a chain of moments",
}  # table → why it is not compared row by row


def table_rows(month: Month, name: str, columns: list | None = None) -> list[str]:
    """A table's rows as text, without moments and numbers of runs, in an order of their own."""
    table = metadata.tables[name]
    chosen = columns or [c for c in table.c if c.name not in MOMENTS | NUMBERS]
    with session(month.engine, read_only=True) as db:
        return sorted(
            json.dumps([plain(value) for value in row], sort_keys=True)
            for row in db.execute(sa.select(*chosen))
        )


def plain(value):
    """A value as both databases mean it."""
    if isinstance(value, dict):
        return {
            key: plain(each)
            for key, each in value.items()
            if key not in MOMENTS | NUMBERS | {"run_id", "seconds"}
        }
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value if isinstance(value, bool | int | float | str | None) else str(value)


def content(month: Month) -> dict[str, tuple[int, str]]:
    """Rows and a hash of each table."""
    names = [name for name in sorted(metadata.tables) if name not in ASIDE]
    rows = {name: table_rows(month, name) for name in names}
    rejects = metadata.tables["import_rejects"].c
    rows["what was refused"] = sorted(
        set(
            table_rows(
                month, "import_rejects", [rejects.file, rejects.reason, rejects.column_name, rejects.value]
            )
        )
    )
    mails = metadata.tables["mails"].c
    letters = table_rows(month, "mails", [mails.key, mails.state, mails.subject, mails.text, mails.html])
    rows["letters of the week"] = [each for each in letters if each.startswith('["digest:')]
    imports = metadata.tables["historical_data_imports"].c
    counted = [
        imports.started_at,
        imports.state,
        imports.rows_read,
        imports.rows_accepted,
        imports.rows_quarantined,
    ]
    rows["the last import"] = [
        json.dumps(json.loads(each)[1:])
        for each in table_rows(month, "historical_data_imports", counted)[-1:]
    ]
    return {
        name: (len(told), hashlib.sha256("\n".join(told).encode()).hexdigest()[:16])
        for name, told in rows.items()
    }


def asked(month: Month) -> dict[str, str]:
    """The jobs that the clock asked for, and their state."""
    return {job.key: job.state for job in listed(month.engine, 1000) if " on " in job.key}


# --- no job is green that was not done -----------------------------------------------------------------------------------


def imported(month: Month, job: Job) -> bool:
    """The import is on record, finished, with as many rows."""
    imports = historical_data_imports
    found = sa.select(imports.c.rows_read, imports.c.state).where(
        imports.c.id == uuid.UUID(job.provenance["import"])
    )
    with session(month.engine, read_only=True) as db:
        return tuple(db.execute(found).one()) == (job.outcome["rows_read"], "finished")


def scored(month: Month, job: Job) -> bool:
    """As many students have a score of that day and model, and the run's page is whole."""
    made = job.provenance
    same = (
        predictions.c.as_of == date.fromisoformat(made["as_of"]),
        predictions.c.model_version == made["model"],
    )
    with session(month.engine, read_only=True) as db:
        rows = db.scalar(
            sa.select(sa.func.count()).select_from(predictions).where(*same, ~predictions.c.shadow)
        )
    run = month.settings.home / "runs" / "score" / job.outcome.get("run", "")
    return rows > 0 and (
        "run" not in job.outcome
        or rows == job.outcome["scored"]
        and {"score.html", "score.ipynb", "run.json"} <= {file.name for file in run.iterdir()}
    )


def reported(month: Month, job: Job) -> bool:
    """The pages of that day are there."""
    return bool(list((month.settings.home / "reports" / job.provenance["as_of"]).rglob("*.html")))


def watched(month: Month, job: Job) -> bool:
    """The figures are there."""
    return bool(
        list((month.settings.home / "runs" / "metrics").glob(f"drift-*-{job.provenance['model']}.json"))
    )


def trained(month: Month, job: Job) -> bool:
    """The challenger on record is the one that was trained, its folder is the one on record, and a backtest has judged its like."""
    from edupulse.keep.content import model_digests
    from edupulse.release.evidence import read_model
    from edupulse.release.fit import find_backtests

    version = job.provenance["trained"]
    judged = find_backtests(read_model(month.engine, version), month.settings).kept
    proved = not job.outcome["challenger"] or bool(judged) == ("backtest" in job.outcome)
    return proved and bool(model_digests(month.engine, month.settings.home).get(version))


def kept(month: Month, job: Job) -> bool:
    """A backup was made in the time of the job."""
    files = (month.settings.home / "backups").glob("*.backup")
    return any(
        job.started_at.timestamp() <= file.stat().st_mtime <= job.finished_at.timestamp() + 1
        for file in files
    )


PROOFS: dict[str, Callable[[Month, Job], bool]] = {
    "import": imported,
    "score": scored,
    "report": reported,
    "drift": watched,
    "retrain": trained,
    "backup": kept,
}


def false_greens(month: Month) -> list[str]:
    """Jobs that say they are done, and are not."""
    done = listed(month.engine, 1000, ("succeeded",))
    fresh = [
        job for job in done if job.kind in PROOFS and not job.outcome["told"].startswith("nothing changed")
    ]
    return [f"{job.key}: {job.outcome['told']}" for job in fresh if not PROOFS[job.kind](month, job)]


def mail_faults(month: Month) -> list[str]:
    """What was sent twice, or is called sent and did not arrive, or arrived and is not called sent."""
    arrived = Counter(mail["Message-ID"] for mail in month.post.office.read())
    letters = [letter for letter in outbox(month.engine, 1000) if letter.channel == "mail"]
    sent = {letter.message_id for letter in letters if letter.state == "sent"}
    return [
        *(f"{each} arrived {count} times" for each, count in arrived.items() if count > 1),
        *(f"{each} is called sent and never arrived" for each in sent - arrived.keys()),
        *(f"{each} arrived and is not called sent" for each in arrived.keys() - sent),
        *(f"{letter.key} is {letter.state}: {letter.error}" for letter in letters if letter.state != "sent"),
        *(
            f"hook {key} was called {count} times"
            for key, count in Counter(key for _, key, _ in month.post.hooked).items()
            if count > 1
        ),
    ]


# --- nothing is half under a final name -----------------------------------------------------------------------------------


def final_files(home: Path) -> Iterator[Path]:
    """Files whose place says that they are whole: none of a run that is called failed."""
    for file in sorted(each for each in home.rglob("*") if each.is_file()):
        if not any(part.startswith(("failed-", ".")) for part in file.relative_to(home).parts):
            yield file


def is_whole(file: Path) -> bool:
    """Whether a file can be read to its end."""
    import pyarrow.parquet as pq

    content = file.read_bytes()
    try:
        if file.suffix in (".json", ".ipynb"):
            json.loads(content)
        if file.suffix == ".parquet":
            pq.read_table(file)
        if content[:16] == b"SQLite format 3\0":
            with closing(sqlite3.connect(file)) as db:
                return db.execute("pragma integrity_check").fetchone() == ("ok",)
    except (ValueError, OSError, sqlite3.Error):
        return False
    ends = {".html": b"</html>", ".pdf": b"%%EOF"}.get(file.suffix, b"")
    return content.rstrip().endswith(ends)


def halves(home: Path) -> list[str]:
    """Files under a final name that are not whole, and what was left lying under a working name."""
    left = [
        each
        for each in home.rglob("*")
        if each.name.endswith(".partial") or each.name.startswith("building-")
    ]
    return [
        str(file.relative_to(home))
        for file in [*left, *(each for each in final_files(home) if not is_whole(each))]
    ]
