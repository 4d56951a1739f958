"""Mail: each letter once or not at all, whatever is killed and whoever answers; nothing in it that somebody else wrote."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from alembic import command

from edupulse.jobs.record import Wish, add, listed
from edupulse.mail import outbox
from edupulse.mail.outbox import Letter, put
from edupulse.store.engine import connect, session
from edupulse.store.migrate import alembic_config, migrate, migration
from edupulse.store.post import mails
from edupulse.store.tables import natural_id, staff

MONDAY = datetime(2026, 11, 30, 12, tzinfo=UTC)


def letter(number: int, to: object = "duty@example.org") -> Letter:
    return Letter(f"digest {number}", to, "Your week: 3 changes", "3 are new.")


# --- the outbox, on both databases -----------------------------------------------------------------------------------


def test_letters_put_at_once_are_there_once(store):
    beside = connect(store.url.render_as_string(hide_password=False))
    letters = [letter(number) for number in range(20)]
    with ThreadPoolExecutor(4) as pool:
        new = list(pool.map(lambda n: put(store if n % 2 else beside, letters), range(8)))
    beside.dispose()
    assert sum(new) == 20 and len(outbox.listed(store)) == 20


def test_letters_of_one_call_are_put_together_or_not_at_all(store):
    with pytest.raises(sa.exc.IntegrityError):
        put(store, [letter(1), letter(2, natural_id("staff", "nobody"))])
    assert outbox.listed(store) == []


def test_letters_go_when_their_reader_is_forgotten(store):
    ann = natural_id("staff", "ann")
    with session(store) as db:
        db.execute(sa.insert(staff).values(id=ann, username="ann", role="counselor", email="a@example.org"))
    assert put(store, [letter(1, ann), letter(2)], MONDAY) == 2
    with session(store) as db:
        db.execute(sa.delete(staff))
    assert [mail.key for mail in outbox.listed(store)] == ["digest 2"]


def test_a_store_without_letters_is_brought_here_and_back_with_its_jobs(empty_store):
    with migration(empty_store) as db:
        command.upgrade(alembic_config(db), "0005")
    add(empty_store, Wish("score", "score 1"))
    migrate(empty_store)
    assert add(empty_store, Wish("mail", "mail 1")) and put(empty_store, [letter(1)]) == 1
    with migration(empty_store) as db:
        view = "view" if db.dialect.name == "sqlite" else "materialized view"
        db.execute(sa.text(f"drop {view} student_risk_summary"))
        command.downgrade(alembic_config(db), "0005")
        assert mails.name not in sa.inspect(db).get_table_names()
    assert [job.key for job in listed(empty_store)] == ["score 1"]
