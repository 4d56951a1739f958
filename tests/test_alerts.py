"""Alerts: each cause is told once, to everybody and by every way, and not at night; whoever tells twice at once tells once."""

import io
import json
import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from mailservers import PostOffice, certificate, free_port, mail_server, webhook
from typer.testing import CliRunner

from edupulse.alerts.look import QUICK, look
from edupulse.alerts.record import Cause, open_alerts, past_alerts
from edupulse.alerts.record import settle as open_and_close
from edupulse.alerts.tell import is_quiet, tell
from edupulse.alerts.words import alert_entry, alert_told
from edupulse.faces.cli import app
from edupulse.faces.exporter import figures_once
from edupulse.faces.language import Speech
from edupulse.faces.reports import environment
from edupulse.jobs.done import NO_EXPORT
from edupulse.jobs.lease import Terms, claim, fail, succeed
from edupulse.jobs.post import ask_for_mail, deliver
from edupulse.jobs.record import Wish, add, find
from edupulse.logs import configure_logs
from edupulse.mail.outbox import listed
from edupulse.mail.state import cancel, retry
from edupulse.said import Said
from edupulse.settings import Settings
from edupulse.store.engine import connect, session
from edupulse.store.post import alerts, mails
from edupulse.store.tables import school_calendar, schools

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
STALE = Cause("stale", "HS01", "silent", {"school": "North High", "day": "2025-12-19"})
SILENT = "North High has sent no attendance since 19 Dec; its students keep their last places on the lists"


@pytest.fixture
def watched(store, tmp_path):
    "Settings for the store, with whatever ways there are."

    def made(**entries) -> Settings:
        url = store.url.render_as_string(hide_password=False)
        return Settings(**{"home": tmp_path / "home", "database_url": url, "timezone": "UTC", **entries})

    return made


def still_open(engine: sa.Engine) -> list[str]:
    with session(engine, read_only=True) as db:
        return [alert.key for alert in open_alerts(db)]


def told_now(engine: sa.Engine) -> dict:
    "The alerts of which somebody was told, and when."
    with session(engine, read_only=True) as db:
        return {alert.key: alert.told_at for alert in open_alerts(db) if alert.told_at}


def break_import(engine: sa.Engine, day: str, now: datetime, why: str = "students.csv holds half") -> None:
    "A night whose import waits for a person."
    add(engine, Wish("import", f"import on {day}"), now)
    fail(engine, claim(engine, "ann", Terms(), now), why, Terms(), now, again=False)


def end_import(engine: sa.Engine, day: str, now: datetime, told: str = "7 rows changed the store") -> None:
    "A night whose import was done."
    add(engine, Wish("import", f"import on {day}"), now)
    succeed(engine, claim(engine, "ann", Terms(), now), {"told": told}, {}, now)


def test_a_cause_is_told_once_by_mail_and_webhook_and_again_when_it_comes_again(store, watched, tmp_path):
    office, pem = PostOffice(), certificate(tmp_path)
    with mail_server(office, pem) as port, webhook() as (address, told):
        ways = {"smtp_host": "localhost", "smtp_port": port, "smtp_ca_file": str(pem.with_suffix(".crt"))}
        ways |= {"mail_from": "edupulse@example.org", "alert_mail": "it@example.org, duty@example.org"}
        set_up = watched(**ways, alert_webhook=address, dashboard_url="https://edupulse.example.org")
        break_import(store, "2026-01-05", NOW)
        for minute in range(5):
            look(set_up, store, NOW + timedelta(minutes=minute), QUICK)
            deliver(set_up, store)
        assert (
            sorted(to for to, _ in office.took) == ["duty@example.org", "it@example.org"] and len(told) == 1
        )
        break_import(store, "2026-01-06", NOW + timedelta(days=1))  # the same is still so
        look(set_up, store, NOW + timedelta(days=1), QUICK)
        add(store, Wish("import", "import on 2026-01-07"), NOW)
        succeed(store, claim(store, "ann", Terms()), {"told": "imported"}, {}, NOW + timedelta(days=2))
        look(set_up, store, NOW + timedelta(days=2), QUICK)
        assert still_open(store) == [] and deliver(set_up, store).states == {}
        break_import(store, "2026-01-08", NOW + timedelta(days=3))
        look(set_up, store, NOW + timedelta(days=3), QUICK)
        deliver(set_up, store)
    assert len(office.took) == 4 and len(told) == 2 and told[0][1] != told[1][1]
    path, _, said = told[0]
    assert path == "/hook?token=s3cret" and said == {
        **{"kind": "job", "words": "The nightly import of 5 Jan failed: students.csv holds half"},
        **{"since": "2026-01-05T12:00:00+00:00", "link": "https://edupulse.example.org"},
    }
    text = office.read()[0].get_content()
    assert "students.csv holds half" in text and "edupulse jobs retry" in text and "example.org" in text
    with session(store, read_only=True) as db:
        assert [alert.kind for alert in past_alerts(db)] == ["job"]


def test_another_reason_is_another_cause_and_neither_an_empty_night_nor_a_wrong_clock_ends_it(store, watched):
    set_up, hours = watched(), timedelta(hours=1)
    end_import(store, "2028-01-05", NOW + timedelta(days=730))  # by a clock that was ahead
    break_import(store, "2026-01-05", NOW, "attendance.csv holds 41 rows of school HS02, where 120 are usual")
    assert look(set_up, store, NOW, QUICK).new == 1
    break_import(
        store, "2026-01-06", NOW + hours, "attendance.csv holds 43 rows of school HS01, where 9 are usual"
    )
    assert look(set_up, store, NOW + hours, QUICK).new == 0
    break_import(store, "2026-01-07", NOW + 2 * hours, "grades.csv is not there")
    found = look(set_up, store, NOW + 2 * hours, QUICK)
    assert (found.new, found.over, len(still_open(store))) == (1, 1, 1)
    end_import(store, "2026-01-08", NOW + 3 * hours, NO_EXPORT)
    assert look(set_up, store, NOW + 3 * hours, QUICK).over == 0
    end_import(store, "2026-01-09", NOW + 4 * hours)
    assert look(set_up, store, NOW + 4 * hours, QUICK).over == 1 and not still_open(store)


def test_one_reason_that_stops_three_jobs_is_told_once_and_over_when_the_last_is_done(store, watched):
    def end(kind, day, why=None):
        now = NOW.replace(day=int(day))
        add(store, Wish(kind, f"{kind} on 2026-01-{day}"), now)
        job = claim(store, "ann", Terms(), now)
        ended = fail(store, job, why, Terms(), now, again=False) if why else succeed(store, job, {}, {}, now)
        return look(set_up, store, now, QUICK) if ended else None

    set_up = watched(alert_webhook="https://hooks.example.org/1")
    changed = Said("work.score.no_model", why=Said("work.model.changed", model="risk-1", which=" (weights)"))
    stopped = [end(kind, "05", changed) for kind in ("score", "report", "drift")]
    assert [(each.new, each.over, each.written) for each in stopped] == [(1, 0, 1), (0, 0, 0), (0, 0, 0)]
    with session(store, read_only=True) as db:
        (alert,) = open_alerts(db)
    told = [alert_entry(Speech(lang), alert, "") for lang in ("en", "es")]
    assert told[0].startswith(
        "The lists of the week of 5 Jan, the weekly reports of 5 Jan, and the watch over"
    )
    assert told[1].startswith("Fallaron: Las listas") and "was changed (weights)" in told[0]
    assert "edupulse restore" in told[0] and "models/" in told[1]
    over = [end(kind, "12") for kind in ("score", "report", "drift")]
    assert [(each.new, each.over) for each in over] == [(0, 0), (0, 0), (0, 1)] and len(listed(store)) == 1


def test_what_is_told_of_a_job_carries_its_run(store, watched, tmp_path):
    log = tmp_path / "a.log"
    with webhook() as (address, told):
        set_up = watched(alert_webhook=address)
        break_import(store, "2026-01-05", NOW)
        job = find(store, "import on 2026-01-05")
        configure_logs(file=log, stream=io.StringIO())
        look(set_up, store, NOW, QUICK)
        asked = ask_for_mail(set_up, store)
        deliver(set_up, store)
    said = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    runs = {line["event"]: line.get("run") for line in said}
    assert runs == {"alert": job.run, "alert told": job.run, "letter": job.run, "letters": None}
    assert asked.run == job.run and len(told) == 1


def test_an_export_that_does_not_come_is_told_on_the_first_school_morning_and_is_over_with_the_next(
    store, watched
):
    morning, day = NOW.replace(month=3, day=4, hour=3), timedelta(days=1)  # a Wednesday
    set_up = watched(schedule_import="15 2 * * *", watch_folder="exports", language="es")
    days = [morning.date() + n * day for n in range(-40, 10)]
    school = [each for each in days if each.weekday() < 5 and each != morning.date() + 2 * day]
    with session(store) as db:
        db.execute(sa.insert(schools).values(school_id="HS01", name="North High"))
        row = {"school_id": "HS01", "school_year": 2025, "day_type": "instructional"}
        db.execute(sa.insert(school_calendar), [{**row, "date": each} for each in school])

    def night(moment, came) -> int:
        add(store, Wish("import", f"import on {moment.date()}"), moment)
        made, told = ({"import": "1"}, "imported") if came else ({}, NO_EXPORT)
        succeed(store, claim(store, "ann", Terms(), moment), {"told": told}, made, moment)
        return look(set_up, store, moment, ["export"])

    found = [night(morning + n * day, n < 0) for n in range(-40, 1)]
    assert [each.new for each in found] == [0] * 40 + [1], "no false alarm, and one on the first morning"
    late = [night(morning + n * day, False) for n in (1, 2, 3)]  # a school day, a holiday, a Saturday
    assert [(each.new, each.over) for each in late] == [(0, 0)] * 3 and still_open(store) == [
        "export missing"
    ]
    with session(store, read_only=True) as db:
        (alert,) = open_alerts(db)
    assert alert_told(Speech("es"), alert).startswith("No llega ninguna exportación")
    assert "3 mar" in alert_told(Speech("es"), alert) and "3 Mar" in alert_told(Speech("en"), alert)
    assert night(morning + 4 * day, True).over == 1 and not still_open(store)


def test_at_night_nobody_is_told_and_in_the_morning_only_of_what_is_still_so(store, watched):
    set_up = watched(
        alert_webhook="https://hooks.example.org/1", quiet_hours="20-7", timezone="Europe/Madrid"
    )
    over = Cause("drift", "attendance", "unlike", {"modality": "attendance", "day": "2025-12-01"})
    midnight = datetime(2026, 1, 5, 23, tzinfo=UTC)
    open_and_close(store, ["stale", "drift"], [STALE, over], midnight)
    assert tell(set_up, store, midnight) == 0 and listed(store) == []
    open_and_close(store, ["drift"], [], midnight + timedelta(hours=1))
    assert [tell(set_up, store, midnight + timedelta(hours=h)) for h in (6, 7, 8)] == [0, 1, 0]
    (letter,) = listed(store)
    assert json.loads(letter.text)["words"] == SILENT


@given(first=st.integers(0, 23), last=st.integers(0, 23), hour=st.integers(0, 23))
@settings(max_examples=60, deadline=None)
def test_a_night_has_as_many_quiet_hours_as_it_says(first, last, hour):
    night = Settings(quiet_hours=f"{first}-{last}", timezone="UTC")
    quiet = [each for each in range(24) if is_quiet(night, NOW.replace(hour=each, minute=59))]
    assert len(quiet) == (last - first) % 24
    assert (hour in quiet) == ((hour - first) % 24 < (last - first) % 24)


def test_tellers_beside_each_other_tell_once(store, watched):
    beside = connect(store.url.render_as_string(hide_password=False))
    set_up = watched(
        alert_webhook="https://hooks.example.org/1", smtp_host="mail.example.org", alert_mail="it@example.org"
    )
    causes = [Cause("stale", f"HS{n:02}", "never", {"school": f"HS{n:02}"}) for n in range(12)]

    def work(number):
        engine = store if number % 2 else beside
        new, _ = open_and_close(engine, ["stale"], causes, NOW)
        return len(new), tell(set_up, engine, NOW)

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(work, range(8)))
    beside.dispose()
    assert [sum(each) for each in zip(*done, strict=True)] == [12, 12]
    letters = listed(store)
    by_mail = "".join(each.text for each in letters if each.channel == "mail")
    assert sum(each.channel == "hook" for each in letters) == 12
    assert all(by_mail.count(f"{cause.about} has never sent") == 1 for cause in causes)


def test_an_outage_of_the_mail_server_is_told_once_by_the_webhook_and_not_by_itself(store, watched):
    with webhook(503, 204) as (address, told):
        nowhere = {"smtp_host": "127.0.0.1", "smtp_port": free_port(), "smtp_security": "none"}
        set_up = watched(
            **nowhere, mail_from="ep@example.org", alert_mail="it@example.org", alert_webhook=address
        )
        open_and_close(store, ["stale"], [STALE], NOW)
        tell(set_up, store, NOW)
        later = datetime.now(UTC) + timedelta(hours=1)
        for round_ in range(5):
            deliver(set_up, store)
            with session(store) as db:
                db.execute(sa.update(mails).where(mails.c.state == "queued").values(due_at=NOW))
            if round_ > 0:
                look(set_up, store, later, QUICK)
    heard = [said["kind"] for _, _, said in told]
    assert heard == ["stale", "stale", "mail"]  # the first was answered with 503, and came again
    assert len({number for _, number, _ in told}) == 2
    assert told_now(store).keys() == {"stale HS01", "mail waits mail"}, "by the webhook alone"
    assert all(not each.subject.endswith("Letters do not arrive") for each in listed(store) if each.address)
    words = told[-1][2]["words"]
    assert words.startswith("Letters wait") and "does not answer" in words and "@" not in words


def test_a_webhook_that_sends_elsewhere_or_says_no_is_not_followed_and_becomes_an_alert(store, watched):
    with webhook(302) as (address, told):
        set_up = watched(alert_webhook=address)
        open_and_close(store, ["stale"], [STALE], NOW)
        tell(set_up, store, NOW)
        assert deliver(set_up, store).states == {"failed": 1} and len(told) == 1
        for _ in range(3):  # what tells of alerts and fails is one cause, or each would bring the next
            look(set_up, store, NOW, QUICK)
            deliver(set_up, store)
    assert still_open(store) == ["mail failed alerts", "stale HS01"] and len(told) == 2
    assert told_now(store) == {}, "both letters failed: nobody was told of either"


def test_an_alert_is_told_when_a_letter_went_and_what_became_of_the_others_is_said(
    store, watched, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    gone, office = "nobody@example.org", PostOffice({"nobody@example.org": ["550 5.1.1 no such user"]})

    def shown(settings) -> str:
        for name, value in environment(settings).items():
            monkeypatch.setenv(name, value)
        return CliRunner().invoke(app, ["alerts"]).output

    with mail_server(office, None) as port, webhook(503, 204) as (address, _):
        way = {"smtp_host": "127.0.0.1", "smtp_port": port, "smtp_security": "none"}
        set_up = watched(**way, mail_from="ep@example.org", alert_mail=gone, alert_webhook=address)
        open_and_close(store, ["stale"], [STALE], NOW)
        assert tell(set_up, store, NOW) == 1
        numbers = {each.channel: each.number for each in listed(store)}
        mail, hook = f"letter {numbers['mail']} (by mail)", f"letter {numbers['hook']} (by webhook)"
        assert f"nobody was told yet; {mail} waits; {hook} waits." in shown(set_up) and not told_now(store)
        deliver(set_up, store)  # the address does not exist, the webhook is busy
        assert f"nobody was told yet; {mail} cannot arrive; {hook} waits." in shown(set_up)
        cancel(store, numbers["mail"])
        with session(store) as db:
            db.execute(sa.update(mails).where(mails.c.channel == "hook").values(state="uncertain"))
        assert f"not known; {mail} was cancelled; {hook} may have arrived" in shown(set_up)
        retry(store, numbers["hook"])
        assert not told_now(store)
        deliver(set_up, store)
    assert re.search(rf"told by webhook on [^;]+; {re.escape(mail)} was cancelled\.", shown(set_up))
    assert tell(set_up, store, NOW) == 0 and len(listed(store)) == 2 and told_now(store).keys() == {STALE.key}


def test_a_district_that_reads_spanish_is_told_in_spanish_by_every_way(store, watched, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    break_import(store, "2026-01-05", NOW)
    ways = {"smtp_host": "mail.example.org", "alert_mail": "it@example.org"}
    set_up = watched(language="es", alert_webhook="https://hooks.example.org/1", **ways)
    open_and_close(store, ["stale"], [STALE], NOW)
    assert look(set_up, store, NOW, ["job"]).written == 2
    for name, value in environment(set_up).items():
        monkeypatch.setenv(name, value)
    shown = CliRunner().invoke(app, ["alerts"]).output
    letters = {f"{each.channel} {number}": each for number, each in enumerate(listed(store))}
    said = [shown, *(f"{each.subject} {each.text}" for each in letters.values())]
    assert len(said) == 4 and "North High no envía asistencia desde el 19 dic" in shown
    for each in said:
        words = each.encode().decode("unicode_escape") if each.rstrip().endswith("}") else each
        left = re.sub(r"edupulse [a-z ]+|students.csv holds half|https?://\S+|\"\w+\":", "", words)
        assert not re.search(r"\b(the|and|has|since|failed|sends?|nobody|what)\b", left, re.I), left
    assert "students.csv holds half" in shown and "Falló: La importación nocturna del 5 ene" in shown


def test_an_alert_from_before_sentences_keeps_its_words_and_is_closed_as_any_other(store):
    with session(store) as db:
        old = {"key": "job import", "kind": "job", "words": "import failed: half", "opened_at": NOW}
        db.execute(sa.insert(alerts).values(id=uuid.uuid4(), **old))
        (found,) = open_alerts(db)
    assert [alert_told(Speech(lang), found) for lang in ("en", "es")] == ["import failed: half"] * 2
    assert open_and_close(store, ["job"], [], NOW) == ([], 1)


def test_without_a_way_alerts_are_on_record_in_the_figures_and_told_when_there_is_one(
    store, watched, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    break_import(store, "2026-01-05", NOW)
    set_up = watched()
    assert look(set_up, store, NOW, QUICK).written == 0
    assert [key[:4] for key in still_open(store)] == ["job "]
    assert 'edupulse_alerts_open{kind="job"} 1.0' in figures_once(set_up)
    with webhook() as (address, told):
        for name, value in environment(watched(alert_webhook=address)).items():
            monkeypatch.setenv(name, value)
        shown = CliRunner().invoke(app, ["alerts"]).output
        assert (
            "half" in shown and "nobody was told yet" in shown and "edupulse jobs retry" in shown and not told
        )
        checked = CliRunner().invoke(app, ["alerts", "check"])
    assert checked.exit_code == 1 and "half" in checked.output
    assert [said["kind"] for _, _, said in told] == ["job"]  # no worker lives, and it was told all the same
