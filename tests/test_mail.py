"""Mail: each letter once or not at all, whatever is killed and whoever answers; nothing in it that somebody else wrote."""

import os
import random
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy

import pytest
import sqlalchemy as sa
from alembic import command
from hypothesis import given, settings
from hypothesis import strategies as st
from mailservers import PostOffice, certificate, free_port, mail_server
from typer.testing import CliRunner

from edupulse.faces.cli import app
from edupulse.faces.reports import environment
from edupulse.jobs.post import ask_for_mail, deliver, do_mail
from edupulse.jobs.record import Later, Refused, Wish, add, listed
from edupulse.logs import configure_logs
from edupulse.mail import outbox, state
from edupulse.mail.message import compose
from edupulse.mail.outbox import Letter, put
from edupulse.settings import Settings
from edupulse.store.engine import connect, session
from edupulse.store.migrate import alembic_config, migrate, migration
from edupulse.store.post import mails
from edupulse.store.tables import natural_id, staff

MONDAY = datetime(2026, 1, 5, 12, tzinfo=UTC)


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


# --- a real server ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    "The certificate of a server that calls itself localhost."
    return certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def post(store, pem, tmp_path):
    "Settings for a server on some port, over whose certificate nobody else has a say."

    def made(port: int, **entries) -> Settings:
        said = {"smtp_host": "localhost", "smtp_port": port, "smtp_ca_file": str(pem.with_suffix(".crt"))}
        said |= {"mail_from": "edupulse@example.org", "home": tmp_path / "home"}
        return Settings(
            **{**said, "database_url": store.url.render_as_string(hide_password=False), **entries}
        )

    return made


def states(engine: sa.Engine) -> dict[str, str]:
    return {mail.key: mail.state for mail in outbox.listed(engine)}


def test_letters_that_a_clock_put_off_or_lent_for_years_are_settled_by_the_right_one(store):
    now = datetime.now(UTC)
    ahead = now + timedelta(days=3650)
    put(store, [Letter(f"digest {n}", "ann@example.org", "Your week", "3 are new.") for n in range(4)], now)
    late, lent, waits, gone = state.due(store, "mail", now)
    assert all(state.claim(store, mail, "<1@example.org>", ahead) for mail in (late, lent))
    assert all(state.claim(store, mail, "<1@example.org>", now) for mail in (waits, gone))
    state.settle(store, late, state.Outcome("queued", "451 busy"), ahead)
    state.settle(store, waits, state.Outcome("queued", "451 busy"), now)
    assert [mail.key for mail in state.due(store, "mail", now)] == [late.key] and state.next_due(
        store, ["mail"], now
    ) == now
    assert state.doubt(store, now) == 1 and states(store)[lent.key] == "uncertain"
    assert states(store)[gone.key] == "sending" and states(store)[waits.key] == "queued"


def make_due(engine: sa.Engine) -> None:
    "Let the time pass for which letters wait."
    with session(engine) as db:
        db.execute(sa.update(mails).where(mails.c.state == "queued").values(due_at=MONDAY))


@pytest.mark.parametrize("way", ["starttls", "tls"])
def test_many_letters_go_over_one_encrypted_connection(store, post, pem, way, tmp_path):
    ann, office, secret = natural_id("staff", "ann"), PostOffice(), tmp_path / "password"
    secret.write_text("s3cret\n")
    with session(store) as db:
        db.execute(sa.insert(staff).values(id=ann, username="ann", role="counselor", email="ann@example.org"))
    page = Letter(
        "digest of ann", ann, "Su semana: 3 cambios ✓", "Tres señales.\n.\n", "<p>Tres señales.</p>"
    )
    put(store, [page, *(letter(number) for number in range(4))], MONDAY)
    with mail_server(office, pem, implicit=way == "tls", password="s3cret") as port:
        told = deliver(post(port, smtp_security=way, smtp_user="ep", smtp_password_file=str(secret)), store)
        again = deliver(post(port, smtp_security=way, smtp_user="ep", smtp_password_file=str(secret)), store)
    assert told.told == "5 letters went" and again.told == "no letter was due" and office.connections == 1
    assert {*states(store).values()} == {"sent"} and len(office.took) == 5
    (read,) = (each for each in office.read() if each["To"] == "ann@example.org")
    assert read["Subject"] == page.subject and read["From"] == "EduPulse <edupulse@example.org>"
    assert read.get_body(["plain"]).get_content().splitlines() == ["Tres señales.", "."]
    assert "Tres señales." in read.get_body(["html"]).get_content()


def test_nothing_is_sent_to_a_server_that_does_not_prove_who_it_is(store, post, pem, tmp_path):
    other, office = certificate(tmp_path, "mail.example.net"), PostOffice()
    put(store, [letter(1)], MONDAY)
    with mail_server(office, pem) as port:
        strange = deliver(post(port, smtp_ca_file=""), store)
    make_due(store)
    with mail_server(office, other) as port:  # believed, and not the one that was asked for
        wrong = deliver(post(port, smtp_ca_file=str(other.with_suffix(".crt"))), store)
    make_due(store)
    with mail_server(office, None) as port:
        plain = deliver(post(port), store)
    assert not office.took and states(store) == {"digest 1": "queued"}
    assert "self-signed" in str(strange) and "smtp_ca_file" in str(strange)
    assert "mismatch" in str(wrong).lower() and "STARTTLS" in str(plain)


def test_a_wrong_password_is_an_outage_and_is_not_told_on(store, post, pem, tmp_path):
    office, secret = PostOffice(), tmp_path / "password"
    secret.write_text("wr0ng")
    put(store, [letter(1)], MONDAY)
    with mail_server(office, pem, password="s3cret") as port:
        told = deliver(post(port, smtp_user="ep", smtp_password_file=str(secret)), store)
    assert not office.took and "smtp_user and its password" in told.told and "wr0ng" not in told.told


def test_an_outage_delays_every_letter_and_doubles_none(store, post, pem):
    office, port = PostOffice(), free_port()
    put(store, [letter(number) for number in range(6)], MONDAY)
    for _ in range(3):
        told = deliver(post(port), store)
        assert told.states == {"queued": 6} and told.told.count("does not answer") == 1
        assert deliver(post(port), store).states == {}  # they wait
        make_due(store)
    with mail_server(office, pem, port=port):
        assert deliver(post(port), store).told == "6 letters went"
    assert len({each["Message-ID"] for each in office.read()}) == len(office.took) == 6


def test_a_dead_address_is_told_at_once_a_busy_one_waits_and_neither_is_repeated(store, post, pem, capfd):
    gone, busy, none = "gone@example.org", "busy@example.org", natural_id("staff", "none")
    answers = {gone: [f"550 5.1.1 <{gone}>: no such user"], busy: ["451 4.7.1 greylisted", "250 ok"]}
    office = PostOffice(answers)
    with session(store) as db:
        db.execute(sa.insert(staff).values(id=none, username="none", role="counselor"))
    put(store, [letter(1), letter(2, gone), letter(3, busy), letter(4, none), letter(5)], MONDAY)
    configure_logs("DEBUG")
    with mail_server(office, pem) as port:
        with pytest.raises(Later) as later:
            do_mail(post(port), store, None)
        make_due(store)
        assert do_mail(post(port), store, None).told == "1 letter went"
    assert states(store) == {
        **{"digest 1": "sent", "digest 2": "dead", "digest 3": "sent", "digest 4": "dead", "digest 5": "sent"}
    }
    told = str(later.value)
    assert told.startswith("2 of 5 letters went; 1 later; 2 cannot arrive") and "no such user" in told
    kept = str([mail.error for mail in outbox.listed(store)])
    assert "@" not in told + kept + "".join(capfd.readouterr())
    assert [to for to, _ in office.took] == ["duty@example.org", "duty@example.org", busy]


def test_a_letter_that_is_never_taken_is_given_up_and_a_person_may_begin_anew(store, post):
    nowhere = post(free_port())
    put(store, [letter(1)], MONDAY)
    for _ in range(len(state.WAITS)):
        deliver(nowhere, store)
        make_due(store)
    with pytest.raises(Refused, match="1 not taken"):
        do_mail(nowhere, store, None)
    (mail,) = outbox.listed(store)
    assert (mail.state, mail.due_at) == ("failed", None) and "given up after 12 attempts" in mail.error
    assert state.retry(store, mail.number).attempts == 0
    assert state.cancel(store, "digest 1").state == "cancelled" and not deliver(nowhere, store).states


def test_a_connection_that_is_lost_after_the_text_leaves_a_doubt_and_no_second_mail(store, post):
    "A server of our own that hangs up when the text has come."

    def serve(listening, got):
        talk, _ = listening.accept()
        with talk, talk.makefile("rwb", buffering=0) as lines:
            lines.write(b"220 hello\r\n")
            for line in lines:
                if line == b".\r\n":
                    return got.append("text")
                if not got or line[:4] in (b"mail", b"rcpt", b"ehlo"):
                    lines.write(b"354 go on\r\n" if line.startswith(b"data") else b"250 ok\r\n")
                if line.startswith(b"data"):
                    got.append("data")

    put(store, [letter(1)], MONDAY)
    got = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=serve, args=(listening, got), daemon=True).start()
        plain = post(listening.getsockname()[1], smtp_host="127.0.0.1", smtp_security="none")
        with pytest.raises(Refused, match="1 perhaps arrived"):
            do_mail(plain, store, None)
    assert got == ["data", "text"] and states(store) == {"digest 1": "uncertain"}
    make_due(store)
    assert deliver(plain, store).states == {}


KILLED = """
import sys
from edupulse.settings import load_settings
from edupulse.store.engine import connect
from edupulse.jobs.post import deliver
settings = load_settings()
deliver(settings, connect(settings.url))
"""


def test_a_sender_that_is_killed_in_the_middle_sends_nothing_twice(store, post, pem):
    office = PostOffice(hold_seconds=3)
    put(store, [letter(number) for number in range(3)], MONDAY)
    with mail_server(office, pem) as port:
        settings = post(port)
        sender = subprocess.Popen([sys.executable, "-c", KILLED], env={**os.environ, **environment(settings)})
        assert office.begun.wait(30)
        sender.kill()
        sender.wait()
        office.hold_seconds = 0
        told = deliver(settings, store).told
        assert told == "2 letters went" and sorted(states(store).values()) == ["sending", "sent", "sent"]
        assert ask_for_mail(settings, store) is None
        with session(store) as db:
            db.execute(sa.update(mails).where(mails.c.state == "sending").values(claimed_until=MONDAY))
        assert ask_for_mail(settings, store).kind == "mail"  # there is something to doubt
        with pytest.raises(Refused, match="1 perhaps arrived"):
            do_mail(settings, store, None)
        assert states(store)["digest 0"] == "uncertain" and len(office.took) == 3
        state.retry(store, "digest 0")
        assert deliver(settings, store).told == "1 letter went"
    twice = [each["Message-ID"] for each in office.read()]
    assert len(twice) == 4 and len(set(twice)) == 3  # by its number the second can be known


@pytest.mark.soak
def test_senders_that_are_killed_at_random_send_nothing_twice_and_lose_nothing_unsaid(store, post, pem):
    "Sixty letters, and one sender after another killed at a random moment of its work."
    chance, office, kills = random.Random(7), PostOffice(hold_seconds=0.03), 0
    put(store, [letter(number) for number in range(60)], MONDAY)
    with mail_server(office, pem) as port:
        settings = post(port)
        while "queued" in states(store).values():
            office.begun.clear()
            sender = subprocess.Popen(
                [sys.executable, "-c", KILLED], env={**os.environ, **environment(settings)}
            )
            assert office.begun.wait(60)
            time.sleep(chance.random() * 0.3)
            sender.kill()
            sender.wait()
            kills += 1
    time.sleep(0.5)  # what the server still had in hand
    state.doubt(store, datetime.now(UTC) + 2 * state.LEASE)
    found = states(store)
    arrived = Counter(each["Message-ID"] for each in office.read())
    known = {mail.key: arrived[mail.message_id] for mail in outbox.listed(store, 100)}
    assert max(arrived.values()) == 1 and set(found.values()) <= {"sent", "uncertain"}
    assert all(known[key] == 1 for key, word in found.items() if word == "sent")
    assert 5 <= kills and Counter(found.values())["uncertain"] <= kills


def test_a_worker_brings_what_is_due_without_being_asked(store, post, pem, tmp_path):
    if store.dialect.name == "postgresql":
        pytest.skip("a worker asks either database in the same way, and takes ten seconds to start")
    office = PostOffice()
    put(store, [letter(1)], MONDAY)
    with mail_server(office, pem) as port:
        command = [sys.executable, "-m", "edupulse.faces.cli", "worker", "--once"]
        around = {"env": {**os.environ, **environment(post(port))}, "cwd": tmp_path}
        done = subprocess.run(command, **around, capture_output=True, text=True)
    (job,) = listed(store)
    assert (job.kind, job.state, job.outcome["told"]) == ("mail", "succeeded", "1 letter went"), done.stderr
    assert len(office.took) == 1 and "@" not in done.stdout + done.stderr


def test_the_mail_server_is_tried_and_a_dry_run_sends_nothing(store, post, pem, monkeypatch, tmp_path):
    if store.dialect.name == "postgresql":
        pytest.skip("the commands ask either database in the same way")
    office = PostOffice({"gone@example.org": ["550 5.1.1 no such user"]})
    put(store, [letter(1)], MONDAY)
    monkeypatch.chdir(tmp_path)
    with mail_server(office, pem) as port:
        for name, value in environment(post(port)).items():
            monkeypatch.setenv(name, value)
        said = CliRunner().invoke(app, ["mail", "dry-run", "--text"]).output
        assert letter(1).text.splitlines()[0] in said
        assert (
            "to duty@example.org" in said
            and "1 letter would go; nothing was sent" in said
            and not office.took
        )
        assert "took it (starttls)" in CliRunner().invoke(app, ["mail", "test", "duty@example.org"]).output
        refusal = CliRunner().invoke(app, ["mail", "test", "gone@example.org"]).exception
    assert "550 5.1.1" in str(refusal) and len(office.took) == 1 and states(store) == {"digest 1": "queued"}


# --- nothing in it that somebody else wrote --------------------------------------------------------------------------

ROW = dict.fromkeys(outbox.Mail.__dataclass_fields__) | {"id": uuid.UUID(int=1), "queued_at": MONDAY}
ANYTHING = st.text(max_size=80) | st.lists(
    st.sampled_from(["\r", "\n", "\x85", "\u2028", "Bcc: x@example.org", "a", " ", ",", "<", "=?utf-8?q?", "?="]), max_size=9
).map("".join)  # fmt: skip


@pytest.mark.parametrize("wrong", ["host", "sender", "closed", "open"])
def test_a_mail_server_that_cannot_be_used_is_told_in_a_sentence(monkeypatch, tmp_path, wrong):
    from edupulse.faces.terminal import explain

    office = PostOffice()
    with mail_server(office, None) as port:  # it offers no encryption
        port = free_port() if wrong == "closed" else port
        host, sender = "" if wrong == "host" else "127.0.0.1", "me" if wrong == "sender" else "e@example.org"
        entries = {"home": tmp_path, "smtp_host": host, "smtp_port": port, "mail_from": sender}
        for name, value in entries.items():
            monkeypatch.setenv(f"EDUPULSE_{name.upper()}", str(value))
        error = CliRunner().invoke(app, ["mail", "test", "it@example.org"]).exception
    said = explain(error)
    words = {"host": "no smtp_host is set", "sender": "is no address", "closed": "does not answer"}
    assert words.get(wrong, "does not offer what is asked for") in said and "unexpected" not in said
    assert office.took == [] and not list(tmp_path.glob("logs/error-*"))


@given(subject=ANYTHING, to=ANYTHING | st.emails(), text=ANYTHING, key=ANYTHING)
@settings(max_examples=120, deadline=None)
def test_whatever_a_letter_says_it_adds_no_header_and_no_recipient(subject, to, text, key):
    try:
        made = Letter(key, to, subject, text)
        mail = outbox.Mail(**{**ROW, "key": key, "subject": subject, "text": text, "html": ""})
        wire = compose(mail, to, "edupulse@example.org").as_bytes()
    except ValueError:
        return
    read = message_from_bytes(wire, policy=policy.default)
    known = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"]
    assert [name for name in read.keys() if name not in known] == [
        *("Content-Type", "Content-Transfer-Encoding", "MIME-Version")
    ]
    assert read["To"] == to == made.to and "\r\n\r\n" in wire.decode("ascii")
    assert "".join(read["Subject"].split()) == "".join(subject.split())
