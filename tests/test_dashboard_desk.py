"Whatever a browser sends, a desk answers in one line, and of nobody who is not in this person's care."

import random
import re
import shutil
import string
import uuid
from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from databases import postgresql_database

from edupulse.care.examples import invent_care
from edupulse.care.viewer import Care, find_viewer
from edupulse.dashboard.desk import PAGES, Desk, Reply, find_page
from edupulse.dashboard.masthead import pages_of
from edupulse.settings import Settings
from edupulse.store.engine import connect, session
from edupulse.store.migrate import migrate
from edupulse.store.tables import (
    audit_log,
    contacts,
    data_fixes,
    drafts,
    enrollments,
    interventions,
    predictions,
    school_calendar,
    schools,
    students,
)

MARK = "Outlander"  # the family name of everybody who is not in the counselor's care


def care_of(engine, username: str) -> Care:
    """Somebody's care, in a store in which everybody outside it can be told by name."""
    today = invent_care(engine, 80).as_of
    mine = Care(engine, find_viewer(engine, username), today)
    with session(engine) as db:
        if username == "okoye":  # a principal, from whose school a third has gone to another
            db.execute(sa.insert(schools).values(school_id="elsewhere", name="Elsewhere High"))
            days = [*school_calendar.c.keys()]
            copied = sa.select(
                *[sa.literal("elsewhere") if c == "school_id" else school_calendar.c[c] for c in days]
            )
            db.execute(sa.insert(school_calendar).from_select(days, copied))
            some = sorted(db.scalars(sa.select(students.c.id)))[::3]
            db.execute(
                sa.update(enrollments).where(enrollments.c.student_id.in_(some)).values(school_id="elsewhere")
            )
    with session(engine) as db:
        outside = students.c.id.not_in(mine.student_ids())
        db.execute(sa.update(students).where(outside).values(last_name=MARK, first_name=MARK))
    return mine


def strangers_to(care: Care) -> list[uuid.UUID]:
    """Students who are not in somebody's care."""
    with care.engine.connect() as db:
        found = sorted(db.scalars(sa.select(students.c.id).where(students.c.last_name == MARK)))
    assert len(found) > 10 and not set(found) & care.student_ids()
    return found


@pytest.fixture(scope="module")
def care(tmp_path_factory):
    """A counselor's care."""
    engine = connect(f"sqlite:///{tmp_path_factory.mktemp('desk') / 'edupulse.db'}")
    migrate(engine)
    yield care_of(engine, "rivera")
    engine.dispose()


@pytest.fixture(scope="module")
def strangers(care) -> list[uuid.UUID]:
    """Students who are not in the counselor's care."""
    return strangers_to(care)


def desk_of(care: Care, name: str, home, strangers: list[uuid.UUID]) -> Desk:
    """A desk before one page; whoever may see nobody stands before a closed one."""
    desk = Desk(care.engine, care, care.today, Settings(home=home))
    ids = sorted(care.student_ids())
    asked = {"student": str((ids or strangers)[0])} if name == "student" else {}
    opened = desk.open(find_page(name), asked)
    refused = opened.say == desk.speech("desk.not_yours")
    closed = "jobs" not in pages_of(care.viewer) if name == "jobs" else name == "student" and not ids
    assert refused == closed
    assert not [each for each in strangers if str(each) in str(opened.regions["page"])]
    return desk


HOSTILE = (
    "' or 1=1 --",
    "%' union select last_name from students --",
    "../../edupulse.db",
    "<script>",
    "null",
    "-1",
    "\u202e",
    "🙂" * 50,
)
FIELDS = "student student_id id form kind note q find grade reason support sort lang days undo page band as_of".split()


def forge(rng: random.Random, acts: list[str], strangers: list[uuid.UUID]) -> object:
    """A message that no page of ours would send."""

    def value():
        kinds = (
            lambda: str(rng.choice(strangers)),
            lambda: str(rng.choice(strangers)).upper().replace("-", ""),
            lambda: f"{rng.choice(strangers)},{rng.choice(strangers)}",
            lambda: rng.choice(HOSTILE),
            lambda: MARK,
            lambda: "".join(rng.choices(string.printable, k=rng.randint(0, 40))),
            lambda: str(date(2025, 1, 1)),
            lambda: rng.choice(
                (None, 7, 1.5, True, [], {"$ne": ""}, b"x", "x" * 5_000, "\0", "\ud800", [str(strangers[0])])
            ),
        )
        return rng.choice(kinds)()

    shape = rng.random()
    if shape < 0.08:
        return rng.choice(
            (None, 1, "x", [], {}, {"do": "undo"}, {"values": {}}, b"{}", {"do": [], "values": []}, {1: 2})
        )
    fields = {rng.choice(FIELDS): value() for _ in range(rng.randint(0, 6))}
    if rng.random() < 0.5:
        fields["id"] = str(rng.choice(strangers))
    if shape < 0.14:
        return {"do": rng.choice(acts), "values": {**fields, **{str(n): "y" for n in range(60)}}}
    do = (
        rng.choice(acts)
        if shape < 0.9
        else rng.choice(("hello", "__init__", "render", "", "x" * 100, *HOSTILE))
    )
    return {"do": do, "values": fields}


def whole_messages(acts: list[str], stranger: uuid.UUID) -> list[dict]:
    """Messages that would be taken, were the student in this person's care."""
    sent = {"reached": "yes", "contact_date": "2021-12-20", "positive_goal": "four days", "reason": "medical"}
    sent |= {"form": "contact", "id": str(stranger), "student": str(stranger)}
    return [{"do": act, "values": {**sent, "kind": kind}} for act in acts for kind in ("call", "mentor")]


def nothing_comes_back(care: Care, strangers: list[uuid.UUID], home, count: int) -> None:
    """Throw forged messages at every page; nobody else's student may be in what returns, or in what is stored."""
    rng, ids = random.Random(11), [str(each) for each in strangers]
    for name in PAGES:
        desk = desk_of(care, name, home, strangers)
        acts = [*desk.page.actions, "language", "draft"]
        forged = (forge(rng, acts, strangers) for _ in range(count // len(PAGES) + 1))
        for message in (*whole_messages(acts, strangers[0]), *forged):
            reply = desk.answer(message)
            assert isinstance(reply, Reply), message
            shown = " ".join([*map(str, reply.regions.values()), reply.go or ""])
            given = str(message)
            assert not [each for each in ids if each in shown and each not in given], (
                f"{name} showed a stranger: {given[:300]}"
            )
            assert MARK not in shown.replace(f'value="{MARK}"', "") or MARK in given, (
                f"{name} named a stranger: {given[:300]}"
            )
            if reply.download:
                assert MARK.encode() not in reply.download[2], f"{name} gave a stranger away: {given[:300]}"
    with care.engine.connect() as db:
        for table in (contacts, interventions, data_fixes, drafts):
            about = sa.select(sa.func.count()).where(table.c.student_id.in_(strangers))
            assert db.scalar(about) == 0, f"{table.name} holds what was forged"
        assert db.scalar(sa.select(sa.func.count()).where(audit_log.c.action == "denied")) > 0


def test_forged_messages_show_nobody_else(care, strangers, tmp_path):
    nothing_comes_back(care, strangers, tmp_path, 120)


@pytest.mark.soak
@pytest.mark.parametrize("username", ["rivera", "okoye", "stone"])
def test_two_thousand_forged_messages_show_nobody_else(username, migrated_sqlite, tmp_path):
    shutil.copy(migrated_sqlite, tmp_path / "edupulse.db")
    engine = connect(f"sqlite:///{tmp_path / 'edupulse.db'}")
    theirs = care_of(engine, username)
    nothing_comes_back(theirs, strangers_to(theirs), tmp_path, 2_000)
    engine.dispose()


@pytest.mark.parametrize("username", ["okoye", "stone"])
def test_forged_messages_show_nobody_else_to_a_principal_and_a_researcher(
    username, migrated_sqlite, tmp_path
):
    shutil.copy(migrated_sqlite, tmp_path / "edupulse.db")
    engine = connect(f"sqlite:///{tmp_path / 'edupulse.db'}")
    theirs = care_of(engine, username)
    nothing_comes_back(theirs, strangers_to(theirs), tmp_path, 30)
    engine.dispose()


def test_every_page_says_the_same_from_both_databases(migrated_sqlite, tmp_path, request):
    shutil.copy(migrated_sqlite, tmp_path / "edupulse.db")
    template = request.getfixturevalue("migrated_postgresql")
    with postgresql_database(request.getfixturevalue("postgresql"), template) as url:
        said = [every_page(place, tmp_path) for place in (f"sqlite:///{tmp_path / 'edupulse.db'}", url)]
    assert len(said[0]) == 2 * len(PAGES) - 1 and all(said[0].values())
    assert said[0] == said[1]


def every_page(url: str, home) -> dict[str, str]:
    """Each page of a counselor and a principal, without the numbers that a store gives its own rows."""
    engine = connect(url)
    today, found = invent_care(engine, 80).as_of, {}
    for username in ("rivera", "okoye"):
        theirs = Care(engine, find_viewer(engine, username), today, home)
        for name in PAGES:
            if username == "okoye" and name == "student":
                continue
            desk = Desk(engine, theirs, today, Settings(home=home))
            some = str(sorted(theirs.student_ids())[0])
            shown = desk.open(find_page(name), {"student": some} if name == "student" else {}).regions["page"]
            found[f"{username} {name}"] = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "…", str(shown))
    engine.dispose()
    return found


@pytest.mark.parametrize("name", PAGES)
def test_an_address_is_no_way_around(care, strangers, tmp_path, name):
    desk = Desk(care.engine, care, care.today, Settings(home=tmp_path))
    for asked in (str(strangers[0]), "' or 1=1 --", "", "x" * 4_000):
        shown = " ".join(map(str, desk.open(find_page(name), {"student": asked, "q": MARK}).regions.values()))
        assert str(strangers[1]) not in shown and f">{MARK}" not in shown


def test_a_school_that_was_not_scored_anew_is_shown_with_the_day_of_its_last_scores(
    migrated_sqlite, tmp_path
):
    shutil.copy(migrated_sqlite, tmp_path / "edupulse.db")
    engine = connect(f"sqlite:///{tmp_path / 'edupulse.db'}")
    theirs = care_of(engine, "rivera")
    away, day = strangers_to(theirs), theirs.today
    with engine.begin() as db:  # everybody else has moved to a school that has sent its records
        db.execute(sa.insert(schools).values(school_id="west", name="West High"))
        days = [*school_calendar.c.keys()]
        copied = sa.select(*[sa.literal("west") if c == "school_id" else school_calendar.c[c] for c in days])
        db.execute(
            sa.insert(school_calendar).from_select(
                days, copied.where(school_calendar.c.school_id == "school-0")
            )
        )
        db.execute(sa.update(enrollments).where(enrollments.c.student_id.in_(away)).values(school_id="west"))
        held = (predictions.c.as_of == day, predictions.c.student_id.not_in(away))
        db.execute(sa.delete(predictions).where(*held))
        silent = (
            school_calendar.c.school_id == "school-0",
            school_calendar.c.date >= day - timedelta(days=6),
        )
        db.execute(sa.update(school_calendar).where(*silent).values(submitted_at=None))

    def shown(name, **asked):
        return str(
            Desk(engine, theirs, day, Settings(home=tmp_path)).open(find_page(name), asked).regions["page"]
        )

    week, last = shown("week"), f"{day - timedelta(weeks=1):%-d %b}"
    assert f"its students stand as they did on {last}." in week and week.count('class="card columns"') >= 8
    met = re.search(r"student\.ipynb\?student=([0-9a-f-]+)", week).group(1)
    student = shown("student", student=met)
    assert (
        f"as of {last}: too little has come in from the school since" in student
        and "Why on the list" in student
    )
    assert f"stand as they did on {last}." in shown("school")
    engine.dispose()
