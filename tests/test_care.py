"Who sees whom, what people do and the log of it, on both databases."

import random
from datetime import date, datetime, timedelta

import pytest
import sqlalchemy as sa
from alembic import command

from edupulse.care.viewer import REFUSED, Care, Viewer, find_viewer
from edupulse.store import tables
from edupulse.store.columns import STAFF_ROLES
from edupulse.store.engine import session
from edupulse.store.migrate import alembic_config, migrate, migration, store_state
from edupulse.store.tables import natural_id

START, TODAY = date(2025, 9, 1), date(2025, 11, 3)
SCHOOLS = ("north", "south", "west")


def student(number):
    return natural_id("students", number)


def fill_district(engine, seed=0, students=40):
    "Three schools, students with stays, staff of every role, and caseloads that begin and end; what was written."
    chance = random.Random(seed)
    days = [START + timedelta(number) for number in range(0, 120, 7)]
    calendar = [dict(school_id=school, date=day, school_year=2025, day_type="instructional")
                for school in SCHOOLS for day in days]  # fmt: skip
    stays = [dict(id=natural_id("enrollments", n), student_id=student(n), school_id=chance.choice(SCHOOLS), school_year=2025,
                  grade_level=9, entry_date=START, recorded_at=datetime(2025, 9, 1),
                  exit_date=chance.choice([None, None, TODAY - timedelta(20)])) for n in range(students)]  # fmt: skip
    people = [dict(id=natural_id("staff", f"{role}{n}"), username=f"{role}{n}", display_name=None, role=role,
                   school_id=chance.choice([*SCHOOLS, None]), is_active=n > 0) for role in STAFF_ROLES for n in range(4)]  # fmt: skip
    cared = {}
    for _ in range(300):
        begun = TODAY + timedelta(chance.randint(-40, 5))
        end = chance.choice([None, begun + timedelta(chance.randint(0, 40))])
        who, whom = chance.choice(people)["id"], student(chance.randrange(students))
        cared[who, whom, begun] = dict(staff_id=who, student_id=whom, start_date=begun, end_date=end)
    scores = [dict(id=natural_id("predictions", n), student_id=student(n), as_of=TODAY, horizon_days=60, risk_score=0.5,
                   risk_category="high", model_version="m1") for n in range(students)]  # fmt: skip
    with session(engine) as db:
        db.execute(sa.insert(tables.schools), [{"school_id": name} for name in SCHOOLS])
        db.execute(sa.insert(tables.school_calendar), calendar)
        db.execute(sa.insert(tables.students), [dict(id=student(n), district_id=str(n), last_name=f"Quirrenbach{n}")
                                                for n in range(students)])  # fmt: skip
        db.execute(sa.insert(tables.enrollments), stays)
        db.execute(sa.insert(tables.staff), people)
        db.execute(sa.insert(tables.caseloads), list(cared.values()))
        db.execute(sa.insert(tables.predictions), scores)
    return stays, people, list(cared.values())


def expected(person, day, stays, cared):
    "Whom a person may see, computed without SQL."
    if not person["is_active"] or person["role"] in ("researcher", "operator"):
        return set()
    if person["role"] == "administrator":
        return {row["student_id"] for row in stays
                if person["school_id"] in (None, row["school_id"]) and not (row["exit_date"] and row["exit_date"] < day)}  # fmt: skip
    return {row["student_id"] for row in cared if row["staff_id"] == person["id"]
            and row["start_date"] <= day and (row["end_date"] is None or day <= row["end_date"])}  # fmt: skip


def viewer_of(person):
    return Viewer(person["id"], person["username"], person["username"], person["role"], person["school_id"])


def refused(care, student_id):
    with pytest.raises(PermissionError) as error:
        care.check(student_id)
    return str(error.value)


# --- who sees whom ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1])
def test_nobody_outside_comes_back_for_any_role_on_any_day(store, seed):
    stays, people, cared = fill_district(store, seed)
    everybody = {row["student_id"] for row in stays}
    scores = sa.select(tables.predictions.c.student_id)
    for person in people:
        for day in (TODAY - timedelta(21), TODAY, TODAY + timedelta(3)):
            care = Care(store, viewer_of(person), day)
            theirs = expected(person, day, stays, cared)
            assert care.student_ids() == theirs, (person, day)
            with care.session(read_only=True) as db:
                found = db.scalars(care.limit(scores, tables.predictions.c.student_id)).all()
            assert set(found) == theirs and len(found) == len(theirs)
        for outside in [*sorted(everybody - theirs)[:2], natural_id("students", "nobody"), "x", "\x00", None]:
            assert refused(care, outside) == REFUSED
        for inside in sorted(theirs)[:2]:
            assert care.check(str(inside)) == inside
            told = {name for name, _, _ in care.why(inside)}
            assert told == {
                each["username"] for each in people if inside in expected(each, day, stays, cared)
            }
    assert any(expected(person, TODAY, stays, cared) for person in people if person["role"] == "teacher")


def test_who_is_inactive_or_changed_is_refused_at_the_door_and_on_an_open_page(store):
    stays, people, cared = fill_district(store)
    with pytest.raises(LookupError, match="nobody active on record"):
        find_viewer(store, "counselor0")
    assert find_viewer(store, "counselor1") == viewer_of(
        next(p for p in people if p["username"] == "counselor1")
    )
    open_page = Care(store, find_viewer(store, "counselor1"), TODAY)
    seen = sorted(open_page.student_ids())
    district = Care(store, Viewer(open_page.viewer.staff_id, "counselor1", "", "administrator", None), TODAY)
    assert seen and district.student_ids() == frozenset()  # a viewer that the store does not confirm
    with session(store) as db:
        db.execute(
            sa.update(tables.staff).where(tables.staff.c.username == "counselor1").values(is_active=False)
        )
    assert open_page.student_ids() == frozenset() and refused(open_page, seen[0]) == REFUSED
    assert not open_page.aggregates


# --- the store of before ---------------------------------------------------------------------------------------------


def test_a_store_of_before_is_brought_here_and_back_with_its_plans(empty_store):
    with migration(empty_store) as db:
        command.upgrade(alembic_config(db), "0002")
    assert store_state(empty_store).state == "behind"
    plan = dict(
        id=natural_id("interventions", 1).hex, student=student(1).hex, champion=natural_id("staff", "c").hex
    )
    with session(empty_store) as db:
        for statement in (
            "insert into students (id, district_id) values (:student, 'D-1')",
            "insert into staff (id, username, role) values (:champion, 'c', 'counselor')",
            "insert into interventions (id, student_id, champion_id, intervention_type, positive_goal, start_date) "
            "values (:id, :student, :champion, 'mentor', 'comes on Mondays', '2025-09-01')",
        ):
            db.execute(sa.text(statement), plan)
    migrate(empty_store)
    assert store_state(empty_store).state == "current"
    with session(empty_store) as db:
        kept = db.execute(sa.select(tables.interventions)).one()
        assert (kept.positive_goal, kept.state, kept.note, kept.follow_up_date) == (
            "comes on Mondays",
            "planned",
            None,
            None,
        )
        db.execute(sa.update(tables.interventions).values(state="withdrawn", note="twice"))
        second = dict(id=natural_id("interventions", 2), student_id=student(1), champion_id=natural_id("staff", "c"),
                      intervention_type="mentor", positive_goal="reads", start_date=TODAY, state="active")  # fmt: skip
        db.execute(sa.insert(tables.interventions), second)
    with migration(empty_store) as db:
        db.execute(sa.text("drop " + ("view" if db.dialect.name == "sqlite" else "materialized view")
                           + " student_risk_summary"))  # fmt: skip
        command.downgrade(alembic_config(db), "0002")
        assert db.scalars(sa.text("select positive_goal from interventions")).all() == ["reads"]
        assert "contacts" not in sa.inspect(db).get_table_names()
    migrate(empty_store)
    assert store_state(empty_store).state == "current"
