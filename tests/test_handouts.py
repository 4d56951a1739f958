"""Reports of a week: each reader's own students and nobody else's, the same bytes from the same records, whole or not there.

A real process that makes them is killed with -9 while the first of them appear; what is there then is whole, and the next one
completes the week.
"""

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from papers import language_of, text_of

from edupulse.care.examples import invent_care
from edupulse.handouts.digest import letters_of
from edupulse.handouts.folder import INDEX, RECORD, intact, read_record
from edupulse.handouts.page import Basis
from edupulse.handouts.readers import care_of, readers
from edupulse.handouts.week import Order, inputs_of, write_week
from edupulse.mail.outbox import put
from edupulse.settings import Settings
from edupulse.store.engine import connect, session
from edupulse.store.migrate import migrate
from edupulse.store.tables import caseloads, preferences, staff, students
from edupulse.tongue import catalogue

NOW = datetime(2026, 2, 9, 5, tzinfo=UTC)


def invented(engine):
    "A scored store whose students have names by which each is known."
    made = invent_care(engine, 90, weeks=2)
    with session(engine) as db:
        keys = db.scalars(sa.select(students.c.id).order_by(students.c.district_id)).all()
        rows = [
            dict(key=key, first=f"Zyx{number:03d}", last=f"Qvork{number:03d}")
            for number, key in enumerate(keys)
        ]
        change = sa.update(students).where(students.c.id == sa.bindparam("key"))
        db.execute(change.values(first_name=sa.bindparam("first"), last_name=sa.bindparam("last")), rows)
    return made, {str(row["key"]): row["first"] for row in rows}


def order_for(engine, home, as_of):
    "The week's reports in a home."
    url = engine.url.render_as_string(hide_password=False)
    settings = Settings(home=home, database_url=url, meetings_per_week=4)
    return Order(settings, as_of, Basis(str(as_of), "5c1f45c8", "invented", "edupulse 0.1.0"))


def named(text):
    "Who is named in a text."
    return set(re.findall(r"Zyx\d{3}", text))


def files_of(folder):
    "Each file's content, but for the record."
    return {each.name: each.read_bytes() for each in folder.iterdir() if each.name != RECORD}


def test_each_report_holds_its_readers_students_on_paper_too_and_is_the_same_again(store, tmp_path):
    made, names = invented(store)
    order = order_for(store, tmp_path / "home", made.as_of)
    week = write_week(order, store, inputs_of(store, order, "scores"), NOW)
    found = readers(store, made.as_of)
    assert [each.kind for each in found] == ["school", "counselor", "counselor"] and len(week.written) == 7
    shown = {}
    for reader in found:
        html = (order.folder / f"{reader.key}.html").read_text(encoding="utf-8")
        paper = text_of((order.folder / f"{reader.key}.pdf").read_bytes())
        shown[reader.name] = named(html)
        assert named(paper) == named(html) and "This week, meet these" in paper and " / " in paper
        theirs = {names[str(key)] for key in care_of(store, reader, made.as_of).student_ids()}
        assert len(named(html)) >= 3 and named(html) <= theirs
        for what in (str(made.as_of), "5c1f45c8", "version invented", "edupulse 0.1.0"):
            assert what in html and what in paper
        assert (
            html.count("<h1") == html.count("<main>") == 1
            and "<script" not in html
            and 'src="http' not in html
        )
    assert not shown["Ana Rivera"] & shown["Sam Cole"]

    beside = "".join(each.name for each in order.folder.iterdir()) + (order.folder / RECORD).read_text()
    index = (order.folder / INDEX).read_text(encoding="utf-8")
    people = ("rivera", "cole", "okoye", "Rivera", "Cole", "Okoye")
    assert not named(beside) | named(index) and not [name for name in people if name in beside]
    assert "Ana Rivera" in index and "Ada Okoye" in index and "for whoever hands the reports out" in index
    for each in order.folder.iterdir():
        assert each.stat().st_mode & 0o077 == 0 and order.folder.stat().st_mode & 0o077 == 0

    with session(store) as db:
        db.execute(sa.update(staff).values(email=staff.c.username + "@example.org"))
    letters, _ = letters_of(store, order.settings, made.as_of, made.as_of, week.lists)
    told = "".join(each.subject + each.text for each in letters)
    assert (
        len(letters) == 3 and not named(told) and not re.search("Qvork|@", told)
    )  # the researcher gets none
    assert put(store, letters) == 3 and put(store, letters) == 0

    if store.dialect.name == "sqlite":  # making all of them twice is enough once
        other = order_for(store, tmp_path / "other", made.as_of)
        write_week(other, store, inputs_of(store, other, "scores"), NOW)
        assert files_of(other.folder) == files_of(order.folder)


ENGLISH = (
    r"\b(the|and|of|with|this|that|for|from|who|not|are|is|was|has|have|students?|weeks?|grade|to|by|in)\b"
)


def test_who_reads_spanish_has_a_spanish_page_and_paper_and_nobody_else(tmp_path):
    """The counselor who chose it on her page; with the district's language all of them, and the list of reports."""
    store = connect(f"sqlite:///{tmp_path / 'store.db'}")
    migrate(store)
    made, _ = invented(store)
    order = order_for(store, tmp_path / "home", made.as_of)
    before = inputs_of(store, order, "scores")
    with session(store) as db:
        rivera = db.scalar(sa.select(staff.c.id).where(staff.c.username == "rivera"))
        db.execute(sa.insert(preferences).values(staff_id=rivera, content={"lang": "es"}))
    assert inputs_of(store, order, "scores") != before
    write_week(order, store, "inputs", NOW)
    spoken = {
        each.name: page_language(order.folder / f"{each.key}.html") for each in readers(store, made.as_of)
    }
    assert spoken.pop("Ana Rivera") == "es" and set(spoken.values()) == {"en"}
    district = replace(order, settings=order.settings.model_copy(update={"language": "es"}), doubt="unlike")
    write_week(district, store, "more", NOW)
    names = "|".join(rf"\b{re.escape(words)}\b" for words in catalogue_terms())
    for file in sorted(order.folder.glob("*.html")):
        assert page_language(file) == "es"
        words = file.read_text(encoding="utf-8")
        left = re.sub(
            r"<style>.*?</style>|<bdi>.*?</bdi>|<[^>]*>|school-\d|edupulse 0.1.0", " ", words, flags=re.S
        )
        for text in (left, *re.findall(r'(?:title|aria-label|data-label)="([^"]*)"', words)):
            found = re.search(f".{{0,50}}({ENGLISH}|{names}).{{0,30}}", text, re.S)
            assert not found, f"{file.name}: {found[0]}"
    for file in sorted(order.folder.glob("*.pdf")):
        told = re.search(r"\d+ / \d+", text_of(file.read_bytes()))
        assert told and language_of(file.read_bytes()) == "es"
    store.dispose()


def catalogue_terms():
    "Sentences of the English catalogue's lists and reports that name nothing, and that Spanish says otherwise."
    parts = (
        "report.",
        "handout.",
        "index.",
        "tried.",
        "bands.",
        "changes.",
        "trends.",
        "week.since",
        "week.about",
    )
    english, spanish = catalogue("en"), catalogue("es")
    return [
        text
        for key, text in english.items()
        if key.startswith(parts)
        and isinstance(text, str)
        and "{" not in text
        and len(text) > 5
        and text != spanish[key]
    ]


def page_language(file):
    "In which language a page says that it is."
    return re.search(r'<html lang="(\w+)"', file.read_text(encoding="utf-8"))[1]


def test_who_is_gone_has_no_report_and_who_left_a_caseload_is_in_none(store, tmp_path):
    made, names = invented(store)
    order = order_for(store, tmp_path / "home", made.as_of)
    first = {each.key: each for each in readers(store, made.as_of)}
    with session(store) as db:
        db.execute(sa.update(staff).where(staff.c.username == "cole").values(is_active=False))
    left = {each.key: each for each in readers(store, made.as_of)}
    assert {each.name for key, each in first.items() if key not in left} == {"Sam Cole"}
    with session(store) as db:
        db.execute(sa.update(caseloads).values(end_date=made.as_of - timedelta(days=1)))
    assert [each.kind for each in readers(store, made.as_of)] == ["school"]
    week = write_week(order, store, "inputs", NOW)
    assert sorted(each.name for each in order.folder.iterdir()) == sorted([*week.record["files"], RECORD])


KILLED = """
import sys
from datetime import UTC, date, datetime
from edupulse.handouts.page import Basis
from edupulse.handouts.week import Order, write_week
from edupulse.settings import Settings
from edupulse.store.engine import connect
from pathlib import Path
home, url, day = sys.argv[1:]
settings = Settings(home=Path(home), database_url=url, meetings_per_week=4)
order = Order(settings, date.fromisoformat(day), Basis(day, "5c1f45c8", "invented", "edupulse 0.1.0"))
write_week(order, connect(url), "inputs", datetime(2026, 2, 9, 5, tzinfo=UTC))
"""


def whole(file):
    "Whether a file is one that was finished."
    content = file.read_bytes()
    ends = {".pdf": b"%%EOF\n", ".html": b"</html>", ".json": b"}"}
    return content.endswith(ends[file.suffix])


def test_what_a_killed_process_leaves_is_whole_and_the_next_one_completes_it(migrated_sqlite, tmp_path):
    import shutil

    from edupulse.store.engine import connect

    shutil.copy(migrated_sqlite, tmp_path / "store.db")
    store = connect(f"sqlite:///{tmp_path / 'store.db'}")
    made, _ = invented(store)
    with session(store) as db:  # one counselor and a school are enough to be killed between
        db.execute(sa.update(staff).where(staff.c.username == "cole").values(is_active=False))
    order = order_for(store, tmp_path / "home", made.as_of)
    words = [str(order.settings.home), order.settings.url, str(made.as_of)]
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, *words], env={**os.environ, "PYTHONWARNINGS": "ignore"}
    )
    until = time.monotonic() + 120
    while not any(order.folder.glob("*.*")) and process.poll() is None and time.monotonic() < until:
        time.sleep(0.0005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    there = [each for each in order.folder.iterdir() if not each.name.startswith(".")]
    assert (
        process.returncode == -signal.SIGKILL
        and all(map(whole, there))
        and not (order.folder / RECORD).exists()
    )
    assert not intact(order.folder, read_record(order.folder))
    week = write_week(order, store, "inputs", NOW)
    assert intact(order.folder, week.record) and not [*order.folder.glob(".*")]
    assert sorted(files_of(order.folder)) == sorted(week.record["files"])
    store.dispose()


@pytest.mark.soak  # two processes begin, each with its own libraries
def test_two_processes_make_the_same_bytes_as_one_and_a_report_that_cannot_be_made_stops_the_week(
    migrated_sqlite, tmp_path, monkeypatch
):
    import shutil

    from edupulse.handouts import week
    from edupulse.store.engine import connect

    shutil.copy(migrated_sqlite, tmp_path / "store.db")
    store = connect(f"sqlite:///{tmp_path / 'store.db'}")
    made, _ = invented(store)
    order, found = order_for(store, tmp_path / "home", made.as_of), readers(store, made.as_of)
    alone = week.make_reports(order, found, processes=1)
    monkeypatch.setattr(week, "FEW", 0)
    assert week.make_reports(order, found) == alone
    gone = order_for(store, tmp_path / "home", made.as_of)
    gone = replace(
        gone, settings=gone.settings.model_copy(update={"database_url": f"sqlite:///{tmp_path / 'no.db'}"})
    )
    with pytest.raises(Exception, match="no such table|nothing has been scored|unable to open"):
        week.make_reports(gone, found)
    assert not gone.folder.exists()
    store.dispose()
