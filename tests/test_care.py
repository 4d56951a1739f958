"Who sees whom, what people do and the log of it, on both databases."

import random
import re
import shutil
import threading
import time
from datetime import date, datetime, timedelta

import pytest
import sqlalchemy as sa
import yaml
from alembic import command
from forks import Forked

from edupulse.care.acts import dispute_flag, end_plan, log_contact, read_draft, save_draft, start_plan, undo
from edupulse.care.audit import first_broken, last_entry, read_witness, record, witness, witness_file
from edupulse.care.entries import PLAN_KINDS, REFUSALS, Refused
from edupulse.care.history import PLAN_STATES, contacts_of, fixes_of, plans_of
from edupulse.care.viewer import REFUSED, Care, Viewer, find_viewer
from edupulse.faces.doctor import ask
from edupulse.ingest.load import ingest_folder
from edupulse.labels import build_labels
from edupulse.resources import resource
from edupulse.settings import Settings
from edupulse.store import tables
from edupulse.store.columns import CONTACT_KINDS, DISPUTE_REASONS, STAFF_ROLES
from edupulse.store.engine import connect, session
from edupulse.store.migrate import alembic_config, migrate, migration, store_state
from edupulse.store.snapshot import refresh
from edupulse.store.tables import natural_id
from edupulse.support import support_spans
from edupulse.told import count_told

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


# --- the log ---------------------------------------------------------------------------------------------------------


def keep_log(engine, entries=12):
    "A log of some entries, witnessed."
    with session(engine) as db:
        for number in range(entries):
            record(
                db,
                f"person{number % 3}",
                "open",
                "student",
                str(student(number)),
                {"tab": "plan", "n": number},
            )
    assert witness(engine) == entries and first_broken(engine) is None


def tamper(engine, *statements):
    "Change the log as somebody with the database at hand would, and undo it after the look."
    with session(engine) as db:
        kept = [
            db.execute(sa.select(table)).mappings().all() for table in (tables.audit_log, tables.audit_head)
        ]
    with session(engine) as db:
        for statement in statements:
            db.execute(sa.text(statement))
    found = first_broken(engine)
    with session(engine) as db:
        for table, rows in zip((tables.audit_log, tables.audit_head), kept, strict=True):
            db.execute(sa.delete(table))
            db.execute(sa.insert(table), [dict(row) for row in rows])
    assert first_broken(engine) is None
    return found and found.sequence


CHANGES = {
    "sequence": "sequence + 1000",
    "occurred_at": {
        "sqlite": "datetime(occurred_at, '+1 second')",
        "postgresql": "occurred_at + interval '1 microsecond'",
    },
    "actor": "'somebody'",
    "action": "'close'",
    "entity": "null",
    "entity_id": "''",
    "details": """'{"n": 99, "tab": "plan"}'""",
    "previous_hash": "repeat('0', 64)",
    "entry_hash": "repeat('f', 64)",
}


def test_a_change_of_any_column_of_any_entry_is_named(store):
    keep_log(store)
    kind, chance = store.dialect.name, random.Random(3)
    assert set(CHANGES) == set(tables.audit_log.c.keys())
    for column, change in CHANGES.items():
        change = change if isinstance(change, str) else change[kind]
        change = change.replace("repeat('0', 64)", f"'{'0' * 64}'").replace(
            "repeat('f', 64)", f"'{'f' * 64}'"
        )
        for number in chance.sample(range(2, 13), 2):
            statement = f"update audit_log set {column} = {change} where sequence = {number}"
            assert tamper(store, statement) == number, column
    text = "details = to_jsonb(details::text)" if kind == "postgresql" else "occurred_at = 'yesterday'"
    assert tamper(store, f"update audit_log set {text} where sequence = 4") == 4


def test_what_was_removed_moved_or_put_in_is_named(store):
    keep_log(store)
    last = "update audit_head set sequence = 9, entry_hash = (select entry_hash from audit_log where sequence = 9)"
    swap = [
        f"update audit_log set sequence = {new} where sequence = {old}"
        for old, new in ((5, 99), (8, 5), (99, 8))
    ]
    copy = "insert into audit_log select {0}, occurred_at, actor, action, entity, entity_id, details, previous_hash, 'x' from audit_log where sequence = 7"
    assert tamper(store, "delete from audit_log where sequence = 6") == 6
    assert tamper(store, "delete from audit_log where sequence > 9") == 10
    assert tamper(store, "delete from audit_log where sequence > 9", last) == 10
    assert tamper(store, "delete from audit_log") == 1
    assert tamper(store, "delete from audit_log", "delete from audit_head") == 1
    assert tamper(store, *swap) == 5
    assert tamper(store, copy.format(13)) == 13 and tamper(store, copy.format(0)) == 1
    assert tamper(store, "delete from audit_head") == 12
    assert tamper(store, "update audit_head set sequence = 11") == 12
    witness_file(store).unlink()  # without a witness the store itself still knows its end
    assert tamper(store, "delete from audit_log where sequence > 9") == 10


def test_a_log_computed_anew_from_the_database_alone_is_named(store):
    keep_log(store)
    with session(store) as db:
        rows = [dict(row) for row in db.execute(sa.select(tables.audit_log).order_by("sequence")).mappings()]
        db.execute(sa.delete(tables.audit_log))
        db.execute(sa.update(tables.audit_head).values(sequence=4, entry_hash=rows[3]["entry_hash"]))
        db.execute(sa.insert(tables.audit_log), rows[:4])
        for row in rows[4:]:
            record(db, "somebody", row["action"], row["entity"], row["entity_id"], row["details"])
    witness(store)
    assert str(first_broken(store)) == "entry 5 of the audit log is not the one that was witnessed"


def test_writers_at_once_leave_no_gap(store):
    def write(who):
        for _ in range(8):
            with session(store) as db:
                record(db, who, "open")
            witness(store)

    threads = [threading.Thread(target=write, args=(f"person{n}",)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert first_broken(store) is None and last_entry(store) == 24
    assert set(read_witness(witness_file(store))) == set(range(1, 25))


def test_the_doctor_names_the_first_bad_entry(migrated_sqlite, tmp_path):
    shutil.copy(migrated_sqlite, tmp_path / "edupulse.db")
    settings = Settings(home=tmp_path, database_url="")
    engine = connect(settings.url)
    keep_log(engine, 5)
    assert str(ask("audit", settings).found) == "5 entries, whole and witnessed"
    with session(engine) as db:
        record(db, "ada", "open")
    assert ask("audit", settings).state == "warn"
    with session(engine) as db:
        db.execute(sa.text("delete from audit_log where sequence > 3"))
    found = ask("audit", settings)
    assert found.state == "fail" and found.found.startswith("entry 4 of the audit log is missing")
    engine.dispose()


# --- acts ------------------------------------------------------------------------------------------------------------

CALL = {
    "kind": "call",
    "reached": "yes",
    "contact_date": TODAY,
    "note": "with Quirrenbach1, \x00 <b>at noon</b> \ud800",
}
PLAN = {"kind": "mentor", "positive_goal": "comes on Mondays", "start_date": TODAY - timedelta(7)}


def counselor(engine):
    "A counselor with students in her care, one of them, and one who is not."
    fill_district(engine)
    care = Care(engine, find_viewer(engine, "counselor1"), TODAY)
    theirs = care.student_ids()
    return care, min(theirs), min({student(n) for n in range(40)} - theirs)


def everything(engine):
    "What the acts write, whole."
    written = ("contacts", "interventions", "data_fixes", "training_feedback", "audit_log", "audit_head")
    with session(engine, read_only=True) as db:
        return {name: db.execute(sa.select(tables.metadata.tables[name])).all() for name in written}


def test_every_act_and_its_undoing_is_written_with_its_line_and_without_a_name(store):
    care, theirs, _ = counselor(store)
    score = natural_id("predictions", next(n for n in range(40) if student(n) == theirs))
    done = [
        ("log_contact", log_contact(care, str(theirs), CALL)),
        ("start_plan", start_plan(care, theirs, PLAN)),
        (
            "dispute_flag",
            dispute_flag(care, theirs, {"reason": "known_transfer", "prediction_id": str(score)}),
        ),
    ]
    contact, plan, fix = contacts_of(care, [theirs])[0], plans_of(care)[0], fixes_of(care)[0]
    assert contact.note == "with Quirrenbach1,  <b>at noon</b> ?" and plan.end_date == TODAY + timedelta(35)
    assert (fix.reason, fix.state, fix.prediction_id) == ("known_transfer", "open", score)
    told = everything(store)["training_feedback"]
    assert [(row.feedback_type, row.outcome_type, row.outcome_date) for row in told] == [
        ("false_positive", None, None)
    ]
    end_plan(care, plan.id, {"completed": "no", "outcome": "moved away"})
    for action, key in [("end_plan", plan.id), *done]:
        assert undo(care, action, str(key)) == theirs
    held = everything(store)
    assert contacts_of(care) == plans_of(care) == fixes_of(care) == held["training_feedback"] == []
    assert [len(held[name]) for name in ("contacts", "interventions", "data_fixes", "audit_log")] == [
        1,
        1,
        1,
        8,
    ]
    assert "Quirrenbach" not in repr(held["audit_log"]) and "noon" not in repr(held["audit_log"])
    assert first_broken(store) is None and len(read_witness(witness_file(store))) == 8


def test_what_is_refused_writes_nothing_and_says_one_line(store):
    care, theirs, others = counselor(store)
    colleague = next(Care(store, find_viewer(store, name), TODAY) for name in ("counselor2", "counselor3", "teacher1")
                     if others in Care(store, find_viewer(store, name), TODAY).student_ids())  # fmt: skip
    rows = [
        log_contact(colleague, others, CALL),
        start_plan(colleague, others, PLAN),
        dispute_flag(colleague, others, {"reason": "medical"}),
    ]
    score = natural_id("predictions", next(n for n in range(40) if student(n) == others))
    before = everything(store)
    tries = [
        lambda: log_contact(care, others, CALL),
        lambda: start_plan(care, natural_id("students", "nobody"), PLAN),
        lambda: dispute_flag(care, others, {"reason": "medical"}),
        lambda: end_plan(care, rows[1], {"completed": "yes"}),
        *(lambda action=action, key=key: undo(care, action, key)
          for action, key in zip(("log_contact", "start_plan", "dispute_flag"), rows, strict=True)),
        lambda: undo(care, "drop table", rows[0]),
        lambda: dispute_flag(care, theirs, {"reason": "disagree", "prediction_id": str(score)}),  # another's score
        lambda: dispute_flag(care, theirs, {"reason": "disagree", "prediction_id": "x"}),
        lambda: log_contact(care, theirs, {**CALL, "contact_date": TODAY + timedelta(1)}),
        lambda: log_contact(care, theirs, {**CALL, "note": "x" * 2001}),
        lambda: start_plan(care, theirs, {**PLAN, "champion_id": str(natural_id("staff", "counselor0"))}),  # inactive
        lambda: start_plan(care, theirs, {**PLAN, "positive_goal": ""}),
        lambda: save_draft(care, others, "contact", {"note": "x"}),
    ]  # fmt: skip
    for attempt in tries:
        with pytest.raises((PermissionError, Refused)) as refused:
            attempt()
        assert "\n" not in str(refused.value) and str(others) not in str(refused.value)
    assert everything(store) == before and read_draft(colleague, others, "contact") == {}


def test_a_disputed_flag_is_no_label_and_a_withdrawn_plan_no_support(store, tmp_path):
    care, theirs, _ = counselor(store)
    plain = refresh(store, tmp_path / "snapshot", progress=False)
    labels, score = (
        build_labels(plain),
        natural_id("predictions", next(n for n in range(40) if student(n) == theirs)),
    )
    dispute_flag(care, theirs, {"reason": "known_transfer", "prediction_id": score})
    plan = start_plan(care, theirs, PLAN)
    made = refresh(store, tmp_path / "snapshot", progress=False)
    assert build_labels(made).equals(labels) and len(labels)
    assert (
        count_told(made)["told"] == count_told(made)["without_outcome"] == 1 and len(support_spans(made)) == 1
    )
    undo(care, "start_plan", plan)
    assert support_spans(refresh(store, tmp_path / "snapshot", progress=False)).empty


def test_whoever_is_killed_leaves_both_or_neither(store):
    care, theirs, _ = counselor(store)
    url = store.url.render_as_string(hide_password=False)

    def acting():
        engine = connect(url)
        own = Care(engine, find_viewer(engine, "counselor1"), date(2025, 11, 3))
        print("ready", flush=True)
        while True:
            log_contact(own, str(theirs), {"kind": "call", "reached": "yes", "contact_date": own.today})

    store.dispose()  # SQLite's may not be open in a fork
    child = Forked(acting)
    child.wait_for(b"ready")
    time.sleep(0.2 + random.random() / 5)
    child.kill()
    child.wait()
    written = len(contacts_of(care))
    log_contact(care, theirs, CALL)
    held = everything(store)
    assert written > 1 and len(held["contacts"]) == len(held["audit_log"]) == written + 1
    assert {row.entity_id for row in held["audit_log"]} == {str(row.id) for row in held["contacts"]}
    assert first_broken(store) is None and len(read_witness(witness_file(store))) == written + 1


def test_refusals_are_in_every_catalogue_as_they_are_here():
    for language in ("en", "es"):
        words = yaml.safe_load(resource(f"reports/words/{language}.yaml").read_text(encoding="utf-8"))["acts"]
        fields = [set(re.findall(r"{(\w+)}", words["refused"][name])) for name in REFUSALS]
        assert fields == [set(re.findall(r"{(\w+)}", said)) for said in REFUSALS.values()]
        assert (words["refused"] == REFUSALS) == (language == "en")
        for group, known in (("contact_kinds", CONTACT_KINDS), ("plan_kinds", PLAN_KINDS), ("plan_states", PLAN_STATES),
                             ("dispute_reasons", DISPUTE_REASONS)):  # fmt: skip
            assert tuple(words[group]) == known


# --- people from files -----------------------------------------------------------------------------------------------

PEOPLE = """username,display_name,role,school_id,is_active,email
rivera,"Ana ""Nana"" Rivera",counselor,{school},,rivera@example.org
cole,Sam Cole,Counselor,{school},yes,"cole@example.org, all@example.org"
stone,,researcher,,,
,Nobody,teacher,{school},,
guard,Some Guard,guard,{school},,
lost,Lee Lost,teacher,nowhere,,
"""
CARED = """username,district_id,start_date,end_date
rivera,D-001,2023-09-05,
rivera,D-002,2023-09-05,
cole,D-002,2023-09-06,2023-09-08
guard,D-001,2023-09-05,
cole,D-001,2023-09-08,2023-09-05
cole,D-XXX,2023-09-05,
cole,D-001,last week,
"""


def test_staff_and_caseloads_come_with_an_import_and_what_is_wrong_is_named(store, tmp_path):
    folder = tmp_path / "sample"
    shutil.copytree(resource("data/samples/district"), folder)
    school = (folder / "schools.csv").read_text(encoding="utf-8").splitlines()[1].split(",")[0]
    for name in ("attendance", "grades", "discipline"):
        (folder / f"{name}.csv").unlink()
    (folder / "staff.csv").write_text(PEOPLE.format(school=school), encoding="utf-8")
    (folder / "caseloads.csv").write_text(CARED, encoding="utf-8")
    told = {file.relation: file for file in ingest_folder(folder, store).files}
    assert told["staff"].reasons == {
        "username:missing_value": 1,
        "role:unknown_code": 1,
        "school_id:unknown_school": 1,
    }
    assert told["staff"].left_out == {"email:invalid_address_left_out": 1}  # the person is there all the same
    with session(store, read_only=True) as db:
        known = sa.select(tables.staff.c.username, tables.staff.c.email).order_by(tables.staff.c.username)
        assert db.execute(known).all() == [("cole", None), ("rivera", "rivera@example.org"), ("stone", None)]
    assert told["staff"].first_lines == {
        "username:missing_value": 5,
        "role:unknown_code": 6,
        "school_id:unknown_school": 7,
        "email:invalid_address_left_out": 3,
    }
    reasons = {"username:unknown_staff": 1, "end_date:end_before_start": 1, "district_id:unknown_student": 1, "start_date:invalid_date": 1}  # fmt: skip
    assert told["caseloads"].reasons == reasons and told["caseloads"].added == told["staff"].added == 3
    assert ingest_folder(folder, store).changed == 0
    rivera, cole = (find_viewer(store, name) for name in ("rivera", "cole"))
    assert rivera.display_name == 'Ana "Nana" Rivera' and cole.role == "counselor"
    seen = [len(Care(store, cole, date(2023, 9, day)).student_ids()) for day in (5, 6, 8, 9)]
    assert seen == [0, 1, 1, 0] and len(Care(store, rivera, date(2023, 9, 20)).student_ids()) == 2
    (folder / "staff.csv").write_text(PEOPLE.format(school=school).replace(",yes,", ",no,"), encoding="utf-8")
    (folder / "caseloads.csv").write_text(
        CARED.replace("D-001,2023-09-05,\n", "D-001,2023-09-05,2023-09-19\n", 1), encoding="utf-8"
    )
    assert ingest_folder(folder, store).changed == 2
    assert len(Care(store, rivera, date(2023, 9, 20)).student_ids()) == 1
    with pytest.raises(LookupError):
        find_viewer(store, "cole")


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
