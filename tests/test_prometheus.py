"""Prometheus itself reads our figures with our files: its targets are up, its rules hold, every panel's question is answered."""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa
import yaml
from test_compose import ROOT, SERVICES, free_port

from edupulse.alerts.record import Cause, settle
from edupulse.care.audit import record
from edupulse.faces.exporter import GPU
from edupulse.jobs.lease import Terms, claim, fail, succeed
from edupulse.jobs.record import Wish, add
from edupulse.keep.backup import Backup, note_backup
from edupulse.mail.outbox import Letter, put
from edupulse.settings import Settings
from edupulse.store.engine import connect, session
from edupulse.store.migrate import migrate
from edupulse.store.post import mails
from edupulse.store.tables import (
    historical_data_imports,
    import_rejects,
    model_metadata,
    natural_id,
    predictions,
    students,
)

FILES = ROOT / "deploy/prometheus"
RULES = yaml.safe_load((FILES / "rules.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]
BOARD = json.loads((ROOT / "deploy/grafana/dashboards/edupulse.json").read_text(encoding="utf-8"))
PANELS = {panel["title"]: panel["targets"] for panel in BOARD["panels"] if panel.get("targets")}
SECONDS = 60  # that a busy machine may take


def tool(name, request):
    "A program of Prometheus; where it is not, the run says so at its end."
    found = os.environ.get(f"EDUPULSE_TEST_{name.upper()}") or shutil.which(name)
    if found:
        return found
    why = f"NOT TESTED WITH PROMETHEUS: {name} is not here; apt-get install prometheus, or name it in EDUPULSE_TEST_{name.upper()}"
    request.config.issue_config_time_warning(pytest.PytestWarning(why), stacklevel=1)
    pytest.skip(why)


def invent_week(engine, settings):
    "A store in which everything that is watched has happened: an import, scores, a job, a letter, an alert, drift, a backup."
    now = datetime.now(UTC)
    with session(engine) as db:
        run = natural_id("historical_data_imports", "1")
        rows = {"rows_read": 30, "rows_accepted": 28, "rows_quarantined": 2, "state": "finished"}
        db.execute(sa.insert(historical_data_imports).values(id=run, source="csv", finished_at=now, **rows))
        reject = {"id": run, "import_id": run, "file": "students.csv", "reason": "date_unreadable"}
        db.execute(sa.insert(import_rejects).values(**reject))
        known = {"id": run, "model_version": "m1", "training_date": now, "is_active": True}
        db.execute(sa.insert(model_metadata).values(**known, hyperparameters={"feature_version": "f1"}))
        ids = [natural_id("students", str(number)) for number in range(24)]
        db.execute(sa.insert(students), [{"id": key, "district_id": key.hex} for key in ids])
        said = {"as_of": date.today(), "horizon_days": 60, "model_version": "m1", "risk_category": "low"}
        scores = [{**said, "id": key, "student_id": key, "risk_score": n / 24} for n, key in enumerate(ids)]
        db.execute(sa.insert(predictions), scores)
        record(db, "ann", "look")
    note_backup(settings.home, Backup("a", 10**6, now.isoformat(), "everything", drilled_at=now.isoformat()))
    (settings.home / "runs" / "metrics").mkdir(parents=True)
    drift = {"as_of": f"{date.today()}", "since": {"attendance": f"{date.today()}"}, "promises_broken": False}
    drift["values"] = [{"modality": "attendance", "feature": "tardies_4w", "psi": 0.31}]
    (settings.home / "runs" / "metrics" / "drift-1-m1.json").write_text(json.dumps(drift))
    add(engine, Wish("backup", "backup on 2026-01-05"), now)
    succeed(engine, claim(engine, "ann", Terms(), now), {"told": "done"}, {}, now + timedelta(seconds=3))
    put(engine, [Letter("digest 1", "nobody@example.org", "Your week", "3 are new.")], now)
    with session(engine) as db:
        db.execute(sa.update(mails).values(state="dead", error="550 no such user", due_at=None))
    for kind, attempts, again in (("retrain", 1, True), ("drift", 3, False)):  # given up; left to a person
        add(engine, Wish(kind, f"{kind} on 2026-01-05"), now)
        terms = Terms(attempts=attempts)
        fail(engine, claim(engine, "ann", terms, now), "the disk is full", terms, now, again)
    settle(engine, ["stale"], [Cause("stale", "HS01", "never", {"school": "HS01"})], now)


def asked(address, path, **query):
    "What Prometheus answers to a question of its own protocol."
    where = f"{address}/api/v1/{path}?{urllib.parse.urlencode(query)}"
    with urllib.request.urlopen(where, timeout=SECONDS) as answer:
        said = json.loads(answer.read())
    assert said["status"] == "success" and not said.get("warnings"), said
    return said["data"]


def until(question, what):
    "Ask until the answer is yes."
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        try:
            if answer := question():
                return answer
        except OSError:
            pass
        time.sleep(0.3)
    raise AssertionError(f"this never came: {what() if callable(what) else what}")


def test_the_board_asks_the_source_that_grafana_is_given_and_lies_where_grafana_looks():
    "Grafana itself is not run: what its files say of each other is held together here."
    files = ROOT / "deploy/grafana/provisioning"
    (source,) = yaml.safe_load((files / "datasources/prometheus.yml").read_text(encoding="utf-8"))[
        "datasources"
    ]
    (boards,) = yaml.safe_load((files / "dashboards/edupulse.yml").read_text(encoding="utf-8"))["providers"]
    used = {panel.get("datasource", {}).get("uid") for panel in BOARD["panels"] if panel.get("targets")}
    assert used == {source["uid"]} and source["url"] == "http://prometheus:9090"
    mounted = dict(each.split(":")[:2] for each in SERVICES["grafana"]["volumes"])
    assert mounted["./deploy/grafana/dashboards"] == boards["options"]["path"]
    assert {*SERVICES["grafana"]["networks"]} & {*SERVICES["prometheus"]["networks"]}


@contextmanager
def running(command, file, **environment):
    "A process that says what it has to say in a file."
    with file.open("w") as told:
        process = subprocess.Popen(
            command, env=os.environ | environment, stdout=told, stderr=told, cwd=file.parent
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(SECONDS)


def configured(folder, own, exporter):
    "The service's own command and files, with the places of this machine and a minute made a second."
    text = (FILES / "prometheus.yml").read_text(encoding="utf-8")
    changes = {"/etc/prometheus/rules.yml": f"{folder}/rules.yml", "metrics:9464": f"127.0.0.1:{exporter}"}
    changes |= {
        "127.0.0.1:9090": f"127.0.0.1:{own}",
        "interval: 60s": "interval: 1s",
        "timeout: 30s": "timeout: 1s",
    }
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    (folder / "prometheus.yml").write_text(text)
    shutil.copy(FILES / "rules.yml", folder)
    words = [word.replace("/etc/prometheus/", f"{folder}/") for word in SERVICES["prometheus"]["command"]]
    words = [word.replace("=/prometheus", f"={folder}/data") for word in words]
    return [*words, f"--web.listen-address=127.0.0.1:{own}"]


@pytest.mark.soak  # twenty seconds of a server that is not ours
def test_prometheus_answers_every_panel_and_every_rule_from_our_figures(request, tmp_path):
    program, check = tool("prometheus", request), tool("promtool", request)
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\necho 0, 37, 2048, 81559, 41\n")
    (tmp_path / "nvidia-smi").chmod(0o700)
    own, exporter = free_port(), free_port()
    settings = Settings(home=tmp_path / "home", database_url="", timezone="UTC")
    engine = connect(settings.url)
    migrate(engine)
    invent_week(engine, settings)
    command = configured(tmp_path, own, exporter)
    checked = subprocess.run(
        [check, "check", "config", tmp_path / "prometheus.yml"], capture_output=True, text=True
    )
    assert checked.returncode == 0 and f"{len(RULES)} rules found" in checked.stdout, checked
    words = [word.replace("0.0.0.0", "127.0.0.1") for word in SERVICES["metrics"]["command"]]
    ours = [
        sys.executable,
        "-c",
        "from edupulse.faces.cli import main; main()",
        *words,
        "--port",
        str(exporter),
    ]
    about = {"EDUPULSE_HOME": str(settings.home), "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    address = f"http://127.0.0.1:{own}"
    with (
        running(ours, tmp_path / "ours.txt", **about) as figures,
        running([program, *command], tmp_path / "its.txt"),
    ):
        until(lambda: up(address) == {"edupulse": "up", "prometheus": "up"}, "both targets are up")
        told = urllib.request.urlopen(f"http://127.0.0.1:{exporter}/metrics", timeout=SECONDS).read().decode()
        assert all(f"edupulse_{name}{{" in told for name, *_ in GPU.values())
        linted = subprocess.run([check, "check", "metrics"], input=told, capture_output=True, text=True)
        assert linted.returncode == 0, linted.stdout + linted.stderr
        until(lambda: not silent(address), lambda: f"an answer for {silent(address)}")
        rules = until(lambda: ringing(address, 2), "every rule was evaluated with our figures")
        assert {rule["health"] for rule in rules.values()} == {"ok"}, rules
        states = {name: rule["state"] for name, rule in rules.items()}
        assert states["EdupulseLettersLost"] == "firing" and states["EdupulseSomethingIsWrong"] == "pending"
        stopped = {each["labels"]["kind"] for each in rules["EdupulseJobDead"]["alerts"]}
        assert states["EdupulseJobDead"] == "firing" and stopped == {"retrain", "drift"}, rules
        assert states["EdupulseNotAnswering"] == states["EdupulseScoresOld"] == "inactive", states
        figures.kill()
        until(lambda: evaluated(address)["EdupulseNotAnswering"]["state"] == "pending", "that it is gone")
        assert up(address)["edupulse"] == "down"
    engine.dispose()


@pytest.mark.soak  # a program that few have
def test_a_kind_s_first_stopped_job_rings_at_once_until_it_is_mended(request, tmp_path):
    check = tool("promtool", request)
    score = {"kind": "score"}
    asked = {'edupulse_jobs_stopped{kind="score"}': "0x4 1x9 0x9"}
    rings(check, tmp_path, "EdupulseJobDead", asked, {"4m": [], "5m": [score], "14m": [score], "15m": []})


@pytest.mark.soak  # a program that few have
def test_the_first_import_that_is_bad_rings_at_once_until_the_next_good_one(request, tmp_path):
    check = tool("promtool", request)
    bad, rows = {"source": "csv"}, 'edupulse_import_last_rows{source="csv", what="%s"}'
    asked = {
        rows % "read": "_x4 5000x9 5000x9",
        rows % "quarantined": "_x4 101x9 100x9",
    }  # nothing is known before
    rings(check, tmp_path, "EdupulseRejects", asked, {"3m": [], "4m": [bad], "13m": [bad], "14m": []})
    few = {rows % "read": "100x9", rows % "quarantined": "20x9"}
    rings(check, tmp_path, "EdupulseRejects", few, {"5m": []})


@pytest.mark.soak  # a program that few have
def test_a_failed_import_rings_until_one_works_and_a_shorter_audit_log_rings_though_it_grows_again(
    request, tmp_path
):
    check, bad = tool("promtool", request), {"source": "csv"}
    failed = {'edupulse_import_last_failed{source="csv"}': "_x4 1x5 0x9"}  # nothing is known before
    rings(check, tmp_path, "EdupulseImportFailed", failed, {"3m": [], "4m": [bad], "9m": [bad], "10m": []})
    grown = {"edupulse_audit_entries": "100x4 90 120x400", "edupulse_audit_unwitnessed": "0x405"}
    rings(check, tmp_path, "EdupulseAuditShrank", grown, {"6m": [], "7m": [{}], "300m": [{}], "400m": []})
    behind = {
        "edupulse_audit_unwitnessed": "0x4 -1 0x4 -3x9"
    }  # read beside an entry; shorter than was witnessed
    rings(check, tmp_path, "EdupulseAuditShrank", behind, {"5m": [], "7m": [], "12m": [], "13m": [{}]})


def rings(check, folder, name, series, wanted):
    "Hold a rule to the labels that it rings with, minute by minute."
    (rule,) = (each for each in RULES if each["alert"] == name)

    def said(labels):
        words = rule["annotations"]["summary"]
        for label, value in labels.items():
            words = words.replace(f"{{{{ $labels.{label} }}}}", value)
        return {"exp_labels": rule["labels"] | labels, "exp_annotations": {"summary": words}}

    case = {
        "interval": "1m",
        "input_series": [{"series": one, "values": values} for one, values in series.items()],
        "alert_rule_test": [
            {"eval_time": at, "alertname": name, "exp_alerts": [said(labels) for labels in found]}
            for at, found in wanted.items()
        ],
    }
    asked = {"rule_files": [str(FILES / "rules.yml")], "evaluation_interval": "1m", "tests": [case]}
    (folder / "asked.yml").write_text(yaml.safe_dump(asked))
    done = subprocess.run([check, "test", "rules", "asked.yml"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def up(address):
    "Whether each target answers."
    return {each["labels"]["job"]: each["health"] for each in asked(address, "targets")["activeTargets"]}


def silent(address):
    "The panels whose question has no answer yet."
    questions = {title: [each["expr"] for each in targets] for title, targets in PANELS.items()}
    return [
        t for t, all_ in questions.items() for one in all_ if not asked(address, "query", query=one)["result"]
    ]


def ringing(address, many):
    "The rules by name, once so many of them ring; the first evaluation may come before the first figures."
    rules = evaluated(address)
    return rules if sum(rule["state"] == "firing" for rule in rules.values()) >= many else {}


def evaluated(address):
    "The rules by name, once each was evaluated."
    rules = [rule for group in asked(address, "rules")["groups"] for rule in group["rules"]]
    done = {rule["name"]: rule for rule in rules if not rule["lastEvaluation"].startswith("0001")}
    return done if done.keys() == {rule["alert"] for rule in RULES} else {}
