"""The whole job on a small district, by the commands' own functions, in two homes: reports exist, scores agree.

Same records and seed, same scores, to the bit; and scoring a week twice changes nothing.
"""

import json
import os
import re
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy as sa
from commands import run_forked
from handfuls import handfuls

from edupulse.faces.demo import Demo, fill_store, make_features, make_records, pick_dates
from edupulse.faces.reports import run_report, runs
from edupulse.store.engine import connect, session
from edupulse.store.tables import model_metadata, predictions, student_features
from edupulse.training.estimator import model_files, version_of
from edupulse.training.tracking import RunRecord, load_model, record_model

pytestmark = pytest.mark.usefixtures("warm_reports")
SMALL = {"members": 1, "max_epochs": 2, "bootstrap_repeats": 20}
WHAT = ["student_id", "as_of", "model_version", "risk_score", "risk_category", "confidence", "risk_factors"]
WHAT += ["trajectory", "convergence_delta", "feature_version", "horizon_days"]


def job(home):
    "Raw records to a caseload in a home of its own."
    demo = Demo(home, students=180, years=3, seed=5)
    make_records(demo)
    fill_store(demo)
    make_features(demo)
    dates = pick_dates(demo.records / "calendar.csv")
    truth = demo.records / "truth" / "hazard.parquet"
    asked = {"train_until": dates.train_until, "oracle_file": truth, **SMALL}
    train = run_report("train", asked, settings=demo.settings)
    score = run_report("score", {"as_of": dates.as_of}, settings=demo.settings)
    return demo, dates, train, score


def scores(demo):
    "Every stored prediction, without the moment at which it was written."
    with session(connect(demo.settings.url), read_only=True) as db:
        rows = db.execute(sa.select(*(predictions.c[name] for name in WHAT))).mappings().all()
    return pd.DataFrame(rows, columns=WHAT).sort_values("student_id", ignore_index=True)


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    return job(tmp_path_factory.mktemp("first") / "home")


def test_both_reports_are_there_and_open_without_a_network(first):
    demo, _, train, score = first
    for run in (train, score):
        page = run.html.read_text(encoding="utf-8")
        assert page.count("<main>") == 1 and page.count("<h1") == 1 and "<script" not in page
        assert 'src="http' not in page and 'href="http' not in page and "Traceback" not in page
    assert {"score", "train"} <= set(runs(demo.settings)["report"])


def test_no_small_count_is_in_the_file_of_a_training(first):
    files = list((first[0].settings.home / "runs" / "metrics").glob("risk-*.json"))
    assert files and [handfuls(json.loads(file.read_text(encoding="utf-8"))) for file in files] == [[]]


def test_a_card_says_what_is_missing_and_shows_no_handful(first):
    demo, *_ = first
    page = run_report("card", settings=demo.settings).html.read_text(encoding="utf-8")
    assert (
        page.count("<h1") == 1
        and "<script" not in page
        and "Traceback" not in page
        and 'src="http' not in page
    )
    assert (
        "has not been judged" in page
        and "no kept backtest has judged" in page
        and "without a promotion" in page
    )
    for row in re.findall(r"<tr><th[^>]*>(?:critical|high|medium|low)</th>.*?</tr>", page):
        weeks, share = re.findall(r"<td[^>]*>([^<]*)</td>", row)
        assert share == "too few to tell" or float(share[:-1]) / 100 * int(weeks.replace(",", "")) > 9
    students = pd.read_csv(demo.records / "students.csv", dtype=str)
    assert not [key for key in students["district_id"] if f">{key}<" in page]


def test_everyone_scored_has_a_score_a_band_and_a_model(first):
    demo, dates, *_ = first
    found = scores(demo)
    assert (
        len(found) > 120
        and (found["as_of"] == dates.as_of).all()
        and not found["student_id"].duplicated().any()
    )
    assert found["risk_score"].between(0, 1).all() and found["confidence"].between(0, 1).all()
    assert set(found["risk_category"]) <= {"critical", "high", "medium", "low"}
    explained = found[found["risk_factors"].str.len() > 0]
    assert len(explained) and explained["risk_factors"].str.len().max() <= 3
    for factor in explained["risk_factors"].iloc[0]:
        assert {"factor", "weight", "value", "description", "recommendation"} <= set(factor)
    with session(connect(demo.settings.url), read_only=True) as db:
        active = (
            db.execute(sa.select(model_metadata.c.model_version).where(model_metadata.c.is_active))
            .scalars()
            .all()
        )
        weeks = db.scalar(sa.select(sa.func.count()).select_from(student_features))
    assert active == [found["model_version"].iloc[0]] and weeks >= len(found)


def test_no_name_is_in_what_may_be_shared(first):
    "Logs, MLflow's records and the train report know no student."
    demo, _, train, _ = first
    students = pd.read_csv(demo.records / "students.csv", dtype=str)
    shared = train.html.read_text(encoding="utf-8") + train.notebook.read_text(encoding="utf-8")
    for file in [*demo.home.glob("logs/*"), *demo.home.glob("mlflow*"), *demo.home.glob("mlflow*/**/*.json")]:
        shared += file.read_bytes().decode("utf-8", "ignore") if file.is_file() else ""
    whole = students["first_name"] + " " + students["last_name"]
    assert not [name for name in whole if name in shared]
    assert not [key for key in students["district_id"] if f'"{key}"' in shared or f">{key}<" in shared]


def copy_home(home: Path, to: Path) -> None:
    "A home beside another; its store by SQLite, for a file that is closed takes the locks of this process along."
    shutil.copytree(home, to, ignore=shutil.ignore_patterns("edupulse.db*"))
    with (
        closing(sqlite3.connect(home / "edupulse.db")) as source,
        closing(sqlite3.connect(to / "edupulse.db")) as copy,
    ):
        source.backup(copy)


def test_a_calendar_that_ended_brings_no_list_of_this_week_and_no_letter_but_one_alert(first, tmp_path):
    from edupulse.alerts.district import calendar_causes, stale_causes
    from edupulse.jobs.lease import Terms, claim, succeed
    from edupulse.jobs.record import Wish, add
    from edupulse.jobs.reports import do_report
    from edupulse.jobs.scores import do_score, scores_on
    from edupulse.store.tables import mails, staff

    demo, dates, _, _ = first
    copy_home(demo.home, home := tmp_path / "home")
    (home / "demo.json").unlink(missing_ok=True)  # a demo lives in its own year
    store = {"home": home, "database_url": f"sqlite:///{home / 'edupulse.db'}"}
    settings = demo.settings.model_copy(update={**store, "smtp_host": "mail.example.org"})
    engine, later = connect(settings.url), dates.as_of + timedelta(weeks=52)
    version = scores(demo)["model_version"].iloc[0]
    with session(engine) as db:
        db.execute(sa.update(staff).values(email=staff.c.username + "@example.org"))
    before = scores_on(engine, dates.as_of, version), sorted((home / "reports").rglob("*"))

    for kind, work in (("score", do_score), ("report", do_report)):
        add(engine, Wish(kind, f"{kind} on {later}", {"day": str(later)}))
        done = work(settings, engine, taken := claim(engine, "ann", Terms()))
        assert succeed(engine, taken, {"told": done.told}, done.provenance)
        assert f"no school day is known within 28 days before {later}, the last one is " in done.told
        assert done.told.endswith(f"; the scores of {dates.as_of} stay") and not done.figures
    assert (scores_on(engine, dates.as_of, version), sorted((home / "reports").rglob("*"))) == before
    with session(engine, read_only=True) as db:
        assert not db.scalar(sa.select(sa.func.count()).select_from(mails))

    noon = datetime(later.year, later.month, later.day, 12, tzinfo=UTC)
    ended = [
        [
            (each.kind, each.about)
            for watch in (calendar_causes, stale_causes)
            for each in watch(settings, engine, day)
        ]
        for day in (noon, noon - timedelta(weeks=52))
    ]
    assert ended[0] == [("calendar", "ended")] and ("calendar", "ended") not in ended[1]
    engine.dispose()


def test_the_job_makes_the_reports_once_tells_once_and_says_what_a_share_did_not_take(first, tmp_path):
    "The page of all schools is that of the run above, so that it is not made a second time here."
    import shutil

    from edupulse.jobs.lease import Terms, claim, succeed
    from edupulse.jobs.record import Wish, add, listed
    from edupulse.jobs.reports import do_report, hash_of
    from edupulse.jobs.scores import scores_on
    from edupulse.resources import code_version
    from edupulse.store.tables import mails, staff, students

    demo, dates, _, score = first
    engine = connect(demo.settings.url)
    shown = scores_on(engine, dates.as_of, model := scores(demo)["model_version"].iloc[0])
    made = {"code": code_version(), "as_of": str(dates.as_of), "model": model, "scores": hash_of(shown)}
    folder = demo.home / "reports" / str(dates.as_of)
    folder.mkdir(parents=True)
    for file in (score.html, score.notebook):
        shutil.copy(file, folder)
    (folder / "score.json").write_text(json.dumps(made, indent=1))
    with session(engine) as db:
        db.execute(sa.update(staff).values(email=staff.c.username + "@example.org"))
        people = db.execute(sa.select(students.c.first_name, students.c.last_name)).all()
    settings = demo.settings.model_copy(
        update={"smtp_host": "mail.example.org", "report_folder": str(tmp_path / "share")}
    )
    add(engine, Wish("report", "report 1"))
    work = claim(engine, "ann", Terms())

    with pytest.raises(RuntimeError, match="are made, but report_folder has no whole copy"):
        do_report(settings, engine, work)
    before = {each.name: (each.read_bytes(), each.stat().st_mtime_ns) for each in folder.iterdir()}
    assert "index.html" in before and sum(name.endswith(".pdf") for name in before) >= 2
    (tmp_path / "share").mkdir()
    again = do_report(settings, engine, work)
    assert "nothing changed; 0 letters to send" in again.told and again.figures["written"] == 0
    assert {each.name: (each.read_bytes(), each.stat().st_mtime_ns) for each in folder.iterdir()} == before
    copied = {each.name: each.read_bytes() for each in (tmp_path / "share" / str(dates.as_of)).iterdir()}
    assert {name: before[name][0] for name in copied} == copied and {"index.html", "score.html"} < set(copied)
    assert do_report(settings, engine, work).told.endswith("0 files copied to report_folder")
    assert succeed(engine, work, {"told": again.told}, {}), "and nobody holds the week"

    with session(engine, read_only=True) as db:
        letters = db.execute(sa.select(mails.c.key, mails.c.subject, mails.c.text)).all()
    assert letters and len({each.key for each in letters}) == len(letters)
    assert not [
        name
        for first, last in people
        for name in (first, last)
        for each in letters
        if name in each.text + each.subject
    ]
    assert [job.kind for job in listed(engine)].count("mail") == 1
    engine.dispose()


def test_scoring_again_by_the_command_changes_nothing(first, tmp_path):
    demo, dates, *_ = first
    engine = connect(demo.settings.url)
    everything = [
        sa.select(table).order_by(*table.primary_key.columns) for table in (predictions, student_features)
    ]
    with session(engine, read_only=True) as db:
        before = [db.execute(query).all() for query in everything]
    words = ["run", "score", "-p", "as_of", str(dates.as_of), "--out", str(tmp_path / "out"), "--json"]
    environment = {**os.environ, "EDUPULSE_HOME": str(demo.home), "EDUPULSE_DATABASE_URL": demo.settings.url}
    engine.dispose()
    done = run_forked(words, tmp_path, environment)
    assert done.returncode == 0, done.stderr
    assert Path(json.loads(done.stdout)["html"]) == tmp_path / "out" / "score.html"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["score.html", "score.ipynb"]
    with session(engine, read_only=True) as db:
        after = [db.execute(query).all() for query in everything]
    assert before == after


def test_weeks_that_are_made_up_for_are_scored_by_the_challenger_too(first, tmp_path):
    demo, dates, *_ = first
    copy_home(demo.home, tmp_path / "home")
    settings = replace(demo, home=tmp_path / "home").settings
    engine = connect(settings.url)
    rival = load_model(settings, engine, "champion")
    rival.training = replace(rival.training, seed=1 + rival.training.seed)
    rival.version_ = version_of(model_files(rival))
    record_model(rival, settings, engine, RunRecord(alias="challenger"))
    run_report("score", {"as_of": dates.as_of, "weeks_before": 2}, settings=settings)
    query = sa.select(predictions.c["model_version", "as_of", "shadow"]).distinct()
    with session(engine, read_only=True) as db:
        rows = pd.DataFrame(db.execute(query).all(), columns=["model", "as_of", "shadow"])
    assert rows.groupby("model")["shadow"].all()[rival.version_] and not rows["shadow"].all()
    told = [set(rows.loc[rows["shadow"] == hidden, "as_of"]) for hidden in (True, False)]
    assert told[0] == told[1] and len(told[0]) == 3, (
        "a week that only the champion scored is lost to the comparison"
    )


def test_the_same_records_and_seed_give_the_same_scores_to_the_bit(first, tmp_path):
    demo, *_ = first
    other, *_ = job(tmp_path / "elsewhere")
    ours, theirs = scores(demo), scores(other)
    assert ours["risk_score"].to_numpy().tobytes() == theirs["risk_score"].to_numpy().tobytes()
    pd.testing.assert_frame_equal(ours, theirs, check_exact=True)
