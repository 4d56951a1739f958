"""A backtest that is killed goes on, one that fails says where, four planted leaks are each refused, and figures recompute."""

import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import psutil
import pytest
import sqlalchemy as sa
from handfuls import SHARES, handful_shares, handfuls, near_misses
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from edupulse.backtest import run
from edupulse.backtest.ahead import (
    SHARED,
    found_apart,
    kept_back,
    lift_over,
    lifts_over,
    listed_by_both,
    over_all,
    precision_apart,
)
from edupulse.backtest.alarms import check_future
from edupulse.backtest.api import cross_validation, long_frame
from edupulse.backtest.choosing import figures_then, known_figures, make_choices, reached_figures
from edupulse.backtest.coarse import rounded
from edupulse.backtest.counselors import counselor_figures, read_caseloads
from edupulse.backtest.figures import settled_rows
from edupulse.backtest.fold import Judging, fold_figures, plain, score_fold, stored_labels
from edupulse.backtest.grid import Configuration, Fold, grid
from edupulse.backtest.kept import kept_figures, kept_rows, share_of
from edupulse.backtest.ledger import lead_ledger
from edupulse.backtest.models import Network
from edupulse.backtest.plan import Rolling, check_labels, check_people_apart, rows_to_judge, rows_to_learn
from edupulse.backtest.record import loggable
from edupulse.backtest.run import Ask, prepare, run_backtest, unfinished
from edupulse.backtest.without import Comparison, Frame, compare
from edupulse.evaluation.enough import verdict
from edupulse.evaluation.fairness import FairnessRule, audit
from edupulse.evaluation.groups import read_attributes
from edupulse.evaluation.metrics import Resampling
from edupulse.faces.backtest_charts import name_of
from edupulse.faces.backtest_told import hidden_places, leavers_by_place, places_told
from edupulse.faces.reports import run_report
from edupulse.features import catalog
from edupulse.labels import build_labels
from edupulse.release.evidence import release_facts
from edupulse.sequences import build_sequences
from edupulse.settings import Settings
from edupulse.store import tables
from edupulse.store.engine import connect, session
from edupulse.training.tracking import flat_numbers, tracking_client

pytestmark = pytest.mark.usefixtures("warm_reports")
CHOICES = {"model": ["school_grade_mean", "logistic"], "seed": [0, 1]}
JUDGING = Judging(0.1, Resampling(repeats=10))
ASK = Ask(grid(**CHOICES), Rolling(tests=2), JUDGING)
PROGRAM = """
import pickle, sys
if __name__ == "__main__":
    from edupulse.backtest.run import run_backtest
    from edupulse.settings import Settings
    run_backtest(pickle.loads(open(sys.argv[2], "rb").read()), Settings(home=sys.argv[1]), processes=2)
"""


@pytest.fixture(scope="module")
def home(four_years):
    "A district of 250 students over four years, from raw records to features."
    return four_years


@pytest.fixture(scope="module")
def prepared(home):
    return prepare(ASK, Settings(home=home))


@pytest.fixture(scope="module")
def features(prepared):
    return run.stored_features(prepared.shelf.features, "district", prepared.shelf.snapshot.fingerprint)


@pytest.fixture(scope="module")
def labels(prepared):
    "Labels by day, as a fold reads them."
    return lambda day=None: stored_labels(prepared.shelf, prepared.folds[0].configuration, day)


def killed_in_the_middle(home, folder):
    "Start a backtest, kill it when some folds are on record and others are not; the files that were finished."
    program = folder / "backtest.py"
    program.write_text(PROGRAM, encoding="utf-8")
    (folder / "ask.pickle").write_bytes(pickle.dumps(ASK))
    command = [sys.executable, str(program), str(home), str(folder / "ask.pickle")]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=folder)
    deadline, records = time.monotonic() + 240, home / "backtest" / "records"
    while len(list(records.glob("[!.]*.json"))) < 2:
        assert time.monotonic() < deadline and process.poll() is None, (
            "the backtest ended before it was killed"
        )
        time.sleep(0.05)
    workers = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    gone, alive = psutil.wait_procs(workers, timeout=30)
    assert gone and not alive, "the processes of a killed backtest go with it"
    return {file: file.stat().st_mtime_ns for file in (home / "backtest" / "rows").glob("[!.]*.parquet")}


def ends_with_one_that_fails(ask, settings):
    "Run a backtest beside a configuration that cannot be: the others go on, and it is named in a line."
    wrong = Configuration("rules", options={"cutoff": 1})
    more = replace(ask, configurations=(wrong, *ask.configurations))
    with pytest.raises(
        RuntimeError, match=rf"^rules .configuration {wrong.id}, 60 days. on .*cutoff.*1 more"
    ) as told:
        run_backtest(more, settings, processes=1, progress=False)
    assert "\n" not in str(told.value) and "the other 8 of 10 folds are kept" in str(told.value)
    assert {fold.configuration for fold in unfinished(prepare(more, settings))} == {wrong}
    return run_backtest(ask, settings, processes=1)


@pytest.fixture(scope="module")
def undisturbed(home, prepared):
    "The same district, whose features have been held against the future once, after a backtest that nobody killed."
    whole = home.parent / "whole"
    shutil.copytree(home, whole)
    return ends_with_one_that_fails(ASK, Settings(home=whole))


def test_a_killed_backtest_goes_on_and_ends_like_another(home, undisturbed, tmp_path, monkeypatch):
    killed = tmp_path / "killed"
    shutil.copytree(home, killed)
    finished = killed_in_the_middle(killed, tmp_path)
    left = unfinished(prepare(ASK, Settings(home=killed)))
    assert len(finished) >= 2 and 0 < len(left) <= 6

    resumed = run_backtest(ASK, Settings(home=killed), processes=1, progress=False)
    assert all(file.stat().st_mtime_ns == written for file, written in finished.items()), (
        "a fold was repeated"
    )
    rows, others = (each.judged().drop(columns="run_id") for each in (resumed, undisturbed))
    pd.testing.assert_frame_equal(rows, others)
    assert resumed.folds["figures"].tolist() == undisturbed.folds["figures"].tolist()
    client = tracking_client(Settings(home=killed))
    runs = client.search_runs([client.get_experiment_by_name("edupulse-backtest").experiment_id])
    assert sorted(each.info.run_id for each in runs) == sorted(resumed.folds["run_id"]), (
        "one run for each fold"
    )

    monkeypatch.setattr(run, "run_tasks", None)  # nothing may be started again
    monkeypatch.setattr(run, "tracking_client", None)
    started = time.process_time()
    again = run_backtest(ASK, Settings(home=killed))
    assert time.process_time() - started < 5 and again.folds.equals(resumed.folds)
    every_figure_is_traced(again, client)


def every_figure_is_traced(backtest, client):
    "From every figure to its run and back to its rows, to six digits."
    shelf, several = backtest.prepared.shelf, 0
    for fold, row in zip(backtest.prepared.folds, backtest.folds.itertuples(), strict=True):
        logged = client.get_run(row.run_id).data
        rows = backtest.judged(config=row.config, fold=row.fold)
        assert rows["run_id"].unique().tolist() == [row.run_id] and logged.params["model"] == row.model
        kept, again = (flat(figures) for figures in (row.figures, kept_figures(fold, shelf)))
        assert kept.keys() == again.keys()
        for name, value in kept.items():
            assert value == again[name] or np.isclose(value, again[name], atol=1e-6, rtol=0), name
        on_record = flat_numbers(loggable(row.figures))
        assert all(np.isclose(logged.metrics[name], value, atol=1e-6) for name, value in on_record.items())
        beside = logged.metrics.keys() - on_record.keys()
        assert beside == {"seconds", "processor_seconds", "learned"}, (
            "how long it took, and nothing of those who left"
        )
        several += len(kept) + found_by_others(row.figures, rows)
    assert several > 200 * len(backtest.folds)


def found_by_others(figures, rows):
    "The rows are judged by scikit-learn, which shares no code with the figures; how many figures that were."
    settled = rows[rows["left"].notna() & ~rows["late_catch"].astype(bool)]
    left, risk = settled["left"].to_numpy(int), settled["risk_score"].to_numpy(float)
    again = {"auroc": roc_auc_score(left, risk), "average_precision": average_precision_score(left, risk)}
    told = {name: figures[name]["value"] for name in again}
    if figures["brier_parts"]:
        again["brier"], told["brier"] = brier_score_loss(left, risk), figures["brier_parts"]["brier"]
    assert told == pytest.approx(again, abs=1e-6)
    assert (figures["weeks"], figures["prevalence"]) == (len(left), pytest.approx(left.mean()))
    return len(again)


def flat(figures, place=""):
    "Every single figure by its place in the JSON."
    if isinstance(figures, dict | list):
        parts = figures.items() if isinstance(figures, dict) else enumerate(figures)
        return {name: value for key, part in parts for name, value in flat(part, f"{place}/{key}").items()}
    return {place: figures}


@pytest.fixture(scope="module")
def reported(undisturbed):
    "The report of that backtest, in a home whose counselors have the students of their schools in care: its run and its figures."
    settings = Settings(home=undisturbed.prepared.shelf.folder.parent)
    asked = {
        "models": CHOICES["model"],
        "seeds": CHOICES["seed"],
        "tests": 2,
        "out": f"{settings.home}/told.json",
    }
    asked |= {"capacity_share": 0.1, "bootstrap_repeats": 10, "without": ["discipline"]}
    return run_report("backtest", asked, settings=settings), json.loads(
        (settings.home / "told.json").read_text()
    )


def test_the_report_shows_what_is_on_record(undisturbed, reported, features):
    page = reported[0].html.read_text(encoding="utf-8")
    assert (
        page.count("<h1") == 1
        and page.count("<main>") == 1
        and "<script" not in page
        and "Traceback" not in page
    )
    assert all(run_id in page for run_id in undisturbed.folds["run_id"]), "nothing was computed again"
    assert "Without discipline" in page and "choosing by" in page and "Best in the last period" in page
    for fold in undisturbed.folds.itertuples():
        assert f"{fold.figures['auroc']['value']:.3f}" in page
    assert not any(student in page for student in features["student_id"].unique())


@pytest.fixture(scope="module")
def rows_of(undisturbed):
    "The judged rows that runs left, found by what MLflow keeps of them and nothing else."
    shelf = undisturbed.prepared.shelf
    client = tracking_client(Settings(home=shelf.folder.parent))

    def read(runs):
        keys = [client.get_run(run).data.tags["fold_key"] for run in runs]
        parts = [pd.read_parquet(shelf.folder / "rows" / f"{key}.parquet") for key in keys]
        return pd.concat(
            [part.assign(run_id=run) for part, run in zip(parts, runs, strict=True)], ignore_index=True
        )

    return read


def same_figures(told, again):
    "Whether all that a report tells is computed again to six digits; how many figures that were."
    kept, found = flat(told), flat(again)
    assert kept.keys() == found.keys() and kept
    for name, value in kept.items():
        near = isinstance(value, float) and np.isclose(value, found[name], atol=1e-6, rtol=0)
        assert near or value == found[name] or (value is None and pd.isna(found[name])), name
    return sum(isinstance(value, float) for value in kept.values())


def test_every_comparison_recomputes_from_the_rows_of_its_runs(reported, rows_of):
    "Ahead of whom, by counselor, and for each choice what it reached and what the best did."
    told, checked = reported[1], 0
    for row in told["ahead"]:
        both = listed_by_both(*(settled_rows(rows_of([run])) for run in row["runs"]), 0.1)
        apart, found = precision_apart(both, JUDGING.resampling), found_apart(both)
        again = {**apart._asdict(), **found, "said": verdict(apart, found["left"])}
        again = kept_back(pd.DataFrame([again]), 10).iloc[0].to_dict()
        checked += same_figures({name: row[name] for name in again}, again)
        sides = [both[both[side]].groupby("as_of")["left"].mean().mean() for side in ("one", "other")]
        assert np.isclose(row["value"], rounded(sides[0] - sides[1]), atol=1e-6)
    found = {run: figures_of(rows_of([run])) for run in {row["run_id"] for row in told["folds"]}}
    for row in told["choices"]:
        reached = [found[row[run]][row["figure"]] for run in ("run_id", "best_run_id")]
        again = {"value": reached[0], "best": reached[1], "regret": reached[1] - reached[0]}
        checked += same_figures({name: row[name] for name in again}, rounded(again, 1000))
    assert checked > 50 and {row["said"] for row in told["ahead"]} == {"too few left"}


def test_every_lift_recomputes_from_the_rows_of_both_runs(reported, undisturbed, rows_of):
    "Over a plain rival in each test period, and over all of them together, as the release gate reads it."
    rival = "school_grade_mean"
    lifts = lifts_over(undisturbed, rival).to_dict("records")
    assert len(lifts) == 4 and reported[1]["lifts"] == [] == reported[1]["over_all"], "no rules, no network"
    for row in lifts:
        both = listed_by_both(*(settled_rows(rows_of([run])) for run in row["runs"]), 0.1)
        again = rounded(plain(lift_over(both, JUDGING.resampling)))
        assert {end: row[end] for end in again} == pytest.approx(again, abs=1e-6)
    told = over_all(undisturbed, "logistic", rival)
    assert len(told) == 2
    for row in told:
        pairs = [[settled_rows(rows_of([run])) for run in pair] for pair in row["runs"]]
        both = pd.concat([listed_by_both(*pair, 0.1) for pair in pairs])
        apart = precision_apart(both, JUDGING.resampling)
        assert [row[end] for end in ("value", "low", "high")] == pytest.approx(rounded(list(apart)), abs=1e-6)


def test_no_small_count_is_in_the_file(reported):
    "Who found whom, and each point of a calibration curve: never fewer than ten students, and none worked out."
    told = reported[1]
    assert near_misses(told["folds"]) == []
    assert near_misses([{"fold": "a", "figures": {"weeks": each}} for each in (900, 907)]) == ["a weeks"]
    assert told["without"] and handfuls(told) == [] and handfuls({"a": [{"students_who_left": 3}]})
    few = {name: {"value": share} for name, share in zip(SHARES, (0.25, 0.5, None, 0, 1, 0.6), strict=True)}
    assert handful_shares({"students": 20, **few}) == ["early", "listed_60", "one of three"]
    for row in told["ahead"]:
        counts = [row[name] for name in SHARED]
        assert counts == [None] * 4 or not any(0 < count < 10 for count in counts)
        assert row["left"] is None or row["left"] >= 10 or row["left"] == 0
    places = [*told["counselors"], *(row for fold in told["folds"] for row in fold["figures"]["schools"])]
    assert all(not 0 < (row["students_who_left"] or 0) < 10 for row in places)
    for fold in told["folds"]:
        figures, lead = fold["figures"], fold["figures"]["lead"]
        policies = [found["students_who_left"] for found in figures["policies"].values()]
        totals = [figures["students_who_left"], lead["students"], *policies]
        totals += [lead[f"students_{days}"] for days in (0, 30, 60)]
        known = [count for count in totals if count is not None]
        assert not any(0 < count < 10 for count in known)
        assert not any(0 < abs(one - other) < 10 for one in known for other in known)
        assert (figures["prevalence"] is None) == (figures["students_who_left"] is None)
        assert handful_shares(lead) == []
    for fold in told["folds"]:
        assert_curve_counts_no_more(fold["figures"])


def assert_curve_counts_no_more(figures):
    "No point of it counts a handful, or all that the fold does but a handful, or anything where the fold does not."
    for point in figures["calibration"] or []:
        counts = {name: point[name] for name in ("students", "students_who_left") if point[name] is not None}
        assert all(count >= 10 for count in counts.values())
        assert all(not 0 < figures[name] - count < 10 for name, count in counts.items())
        hidden = figures["students"] is None or figures["weeks"] is None
        assert not hidden or (point["weeks"] is None and point["students"] is None)


FINE = {"prevalence", "ece", "calibration", "brier_parts", "groups"}  # small by their nature


def digits(value, places=3):
    "The places in a file at which a number has more digits than are printed."
    if isinstance(value, dict):
        parts = [
            (name, each, 6 if name == "brier_parts" else 4 if name in FINE else places)
            for name, each in value.items()
        ]
        return [f"{name}.{found}" for name, each, most in parts for found in digits(each, most)]
    if isinstance(value, list):
        return [found for each in value for found in digits(each, places)]
    return [f"{value!r}"] if isinstance(value, float) and round(value, places) != value else []


def test_no_figure_has_more_digits_than_a_page_prints(reported, undisturbed):
    "Sixteen digits of a share are its fraction; those of a file and of a run in MLflow are none."
    told, client = reported[1], tracking_client(Settings(home=undisturbed.prepared.shelf.folder.parent))
    assert digits({"lead": {"early": 8 / 15}}) == ["lead.early.0.5333333333333333"]
    for name in ("ahead", "choices", "counselors", "fairness", "lifts", "over_all", "without"):
        assert digits(told[name]) == [], name
    for fold in told["folds"]:
        assert digits(fold["figures"]) == []
        logged = client.get_run(fold["run_id"]).data.metrics
        assert [name for name, value in logged.items() if round(value, 4) != value] == []


def counted_again(slots):
    "Columns of a curve that give away how many weeks were followed by leaving: places × precision over them is one number."
    held, found = np.array(slots["k"]) * np.array(slots["precision"]), []
    for name in slots.keys() - {"k"}:
        column = np.array([] if slots[name] is None else slots[name], float)
        whole = held[column > 0] / column[column > 0]
        found += [name] if len(whole) > 2 and np.std(whole) < 0.02 * np.mean(whole) else []
    return found


def test_no_column_of_a_curve_counts_who_left(reported, undisturbed):
    "Whatever its columns are called: of a fold that does not say how many left, none is their share."
    hidden = [fold for fold in reported[1]["folds"] if fold["figures"]["students_who_left"] is None]
    exact = undisturbed.folds.set_index("run_id")["figures"]
    assert hidden, "every fold says how many left, and nothing is tested"
    assert any("weeks_found" in counted_again(exact[fold["run_id"]]["slots"]) for fold in hidden)
    assert [counted_again(fold["figures"]["slots"]) for fold in hidden] == [[]] * len(hidden)


def test_a_run_in_mlflow_tells_no_more_than_the_file(reported, undisturbed):
    "Where the file does not say how many left, a run has its figures in the file's digits; nowhere has it one more."
    client, few = tracking_client(Settings(home=undisturbed.prepared.shelf.folder.parent)), 0
    for fold in reported[1]["folds"]:
        told, logged = flat_numbers(fold["figures"]), client.get_run(fold["run_id"]).data.metrics
        named = logged.keys() - {"seconds", "processor_seconds", "learned"}
        assert named <= told.keys() and {"auroc.value", "precision.value"} <= named
        if fold["figures"]["students_who_left"] is None:
            own = {name for name in named if not name.startswith("policies.")}
            assert all(logged[name] == pytest.approx(told[name], abs=1e-9) for name in own)
            assert fold["figures"]["brier_parts"] is fold["figures"]["prevalence"] is None
            assert fold["figures"]["recall"]["value"] is fold["figures"]["roc"] is None
            assert round(told["auroc.value"], 3) == told["auroc.value"]
            few += 1
    assert few, "every fold says how many left, and nothing is tested"


def test_the_sums_tell_no_more_than_the_file(reported):
    'What is None in the file is "not shown" in the page\'s first table, and in no mean of it.'
    page, medians = reported[0].html.read_text(encoding="utf-8"), {}
    for fold in reported[1]["folds"]:
        median = fold["figures"]["lead"]["median_days"]
        medians.setdefault(name_of(fold["title"]), []).append(median.get("told", median["value"]))
    sums = next(each for each in re.findall(r"<table.*?</table>", page, re.S) if "The mean of" in each)
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S) for row in sums.split("<tr")[1:]]
    at = rows[0].index("Days ahead, median")
    for name, known in medians.items():
        said = next(row[at] for row in rows if row[0] == name)
        told, hidden = [value for value in known if not isinstance(value, str)], known.count("not shown")
        assert said.partition("<")[0] == (f"{np.mean(told):.0f}" if told else "not shown")
        assert not told or not hidden or f"{hidden} not shown" in said
    assert any("not shown" in known for known in medians.values()), "nothing is hidden, and nothing is tested"


@pytest.fixture(scope="module")
def crowded(home, tmp_path_factory):
    "The same district where no transfer is verified, so more than twenty leave a year: a report under two policies."
    place = tmp_path_factory.mktemp("crowded") / "home"
    shutil.copytree(home, place)
    for name in ("snapshot", "features", "backtest"):
        shutil.rmtree(place / name, ignore_errors=True)
    settings, table = Settings(home=place), tables.enrollments
    engine = connect(settings.url)
    with session(engine) as db:
        moved = sa.update(table).where(table.c.exit_reason == "transfer_verified")
        db.execute(moved.values(exit_reason="transfer_unverified"))
    engine.dispose()
    asked = {
        "models": ["rules", "network"],
        "tests": 1,
        "label_policies": ["standard", "broad"],
        "max_epochs": 1,
    }
    asked |= {"members": 1, "capacity_share": 0.1, "bootstrap_repeats": 10, "processes": 1}
    ran = run_report("backtest", asked | {"out": f"{place}/told.json"}, settings=settings)
    return place, json.loads((place / "told.json").read_text()), ran.html.read_text(encoding="utf-8")


@pytest.mark.soak  # two networks, on features that are built anew
def test_a_report_of_enough_leavers_says_who_is_ahead_and_recomputes(crowded):
    "Two policies, two networks, one title: what is said of a pair is what its rows say."
    place, told, page = crowded
    assert (
        min(fold["figures"]["students_who_left"] for fold in told["folds"]) >= 20
        and told["asked"]["records_until"]
    )
    title = re.search("<h1[^>]*>(.*?)</h1>", page)[1]
    assert "found the most" in title and "Broad" not in title.title()
    assert "The title is about leaving within 60 days" in page
    keys = {row["run_id"]: row["rows"] for row in told["folds"]}
    for row in (*told["ahead"], *told["over_all"]):
        runs = row["runs"] if isinstance(row["runs"][0], str) else row["runs"][0]  # one test period, one pair
        files = [place / "backtest" / "rows" / f"{keys[run]}.parquet" for run in runs]
        both = listed_by_both(*(settled_rows(pd.read_parquet(file)) for file in files), 0.1)
        apart = precision_apart(both, JUDGING.resampling)
        assert [row[end] for end in ("value", "low", "high")] == pytest.approx(rounded(list(apart)), abs=1e-6)
        assert row["said"] == verdict(apart, found_apart(both)["left"]) != "too few left"
        policies = {fold["label_policy"] for fold in told["folds"] if fold["run_id"] in runs}
        assert len(policies) == 1, "only those with one question are compared"
    assert len(told["ahead"]) == 1 and len(told["over_all"]) == 2
    assert ("is ahead of every rival" in page) == (told["ahead"][0]["said"] == "ahead")


@pytest.mark.soak  # of the same report
def test_no_small_count_is_in_a_report_of_enough_leavers(crowded):
    _, told, page = crowded
    assert handfuls(told) == [] == near_misses(told["folds"])
    text = re.sub(r"<[^>]+>", " ", page)
    assert not re.search(r"\b[1-9] (of whom|students left|who left)\b", text)
    assert [handful_shares(fold["figures"]["lead"]) for fold in told["folds"]] == [[]] * len(told["folds"])


def test_every_link_of_the_page_leads_to_a_heading(reported):
    page = reported[0].html.read_text(encoding="utf-8")
    wanted = re.findall(r'href="#([^"]+)"', page)
    assert len(wanted) == 15 and set(wanted) <= set(re.findall(r'<h2 id="([^"]+)"', page))
    assert page.count('<details class="folded">') >= 12 and "<details open" not in page


def figures_of(rows):
    "Precision at capacity, average precision and AUROC of one fold."
    figures = fold_figures(rows, 60, JUDGING)
    return {name: figures[name]["value"] for name in ("precision", "average_precision", "auroc")}


def test_what_was_picked_recomputes_from_the_rows_of_the_earlier_runs(reported, undisturbed, rows_of):
    told, (shelf, folds) = reported[1], (undisturbed.prepared.shelf, undisturbed.prepared.folds)
    runs = {(row["config"], row["fold"]): row["run_id"] for row in told["folds"]}

    def then(fold, day):
        rows = rows_of([runs[fold.configuration.id, fold.split.name]]).drop(columns="run_id")
        return figures_then(fold, rows, stored_labels(shelf, fold.configuration, day), 0.1)

    again = make_choices(known_figures(folds, then), reached_figures(undisturbed.folds))
    kept = [{name: row[name] for name in again} for row in told["choices"]]
    assert same_figures(kept, rounded(again.to_dict("records"), 1000)) > 50


def test_every_group_and_counselor_recomputes_from_the_rows_of_its_runs(reported, undisturbed, rows_of):
    told, home = reported[1], undisturbed.prepared.shelf.folder.parent
    engine = connect(Settings(home=home).url)
    attributes, care = read_attributes(engine), read_caseloads(engine)
    engine.dispose()
    rule = FairnessRule(resampling=JUDGING.resampling)
    audited = audit(rows_of(told["fairness"]["runs"]), attributes, 0.1, rule)
    checked = same_figures(told["fairness"], json.loads(json.dumps(audited.plain())))
    assert told["release"][told["best"]] == json.loads(json.dumps(release_facts(audited)))

    for each in told["without"]:
        pair = [rows_of(runs) for runs in each["runs"]]
        again = compare(pair[0], pair[1].drop(columns="run_id"), Frame(attributes, 0.1, rule))
        again = Comparison(each["title"], tuple(each["without"]), **again, runs=tuple(each["runs"])).plain()
        checked += same_figures(each, again)

    runs = dict.fromkeys(row["run_id"] for row in told["counselors"])
    again = [
        {"run_id": run, **each}
        for run in runs
        for each in places_told(
            counselor_figures(rows_of([run]), care, JUDGING),
            hidden_places(leavers_by_place(rows_of([run]), care), 10),
            10,
        )
    ]
    kept = [{name: value for name, value in row.items() if name != "fold"} for row in told["counselors"]]
    names = {f"counselor.{school}.1" for school in ("hs01", "hs02", "ms01", "ms02")}
    assert {row["staff"] for row in kept} == {"all", *names} == {"all", *care["staff"]}
    assert checked + same_figures(kept, again) > 500


def test_what_is_said_after_the_last_attended_day_is_no_lead(undisturbed):
    "In a district with late paperwork: the ledger of a fold, its scores of late catches turned over."
    found = 0
    for fold in undisturbed.folds.itertuples():
        rows = undisturbed.judged(config=fold.config, fold=fold.fold)
        late = rows["late_catch"]
        ledger = lead_ledger(rows, 0.1)
        turned = rows.assign(risk_score=rows["risk_score"].where(~late, 1e6 - rows["risk_score"]))
        pd.testing.assert_frame_equal(lead_ledger(turned, 0.1), ledger)
        assert fold.figures["lead"]["students"] == len(ledger) == fold.figures["students_who_left"]
        assert (
            ledger["first_listed"].dropna() <= ledger["last_attended"][ledger["first_listed"].notna()]
        ).all()
        found += int(late.sum())
    assert found, "nobody's paperwork came late, and nothing is tested"


def test_features_that_know_the_future_are_refused(prepared, features, home, tmp_path):
    split = prepared.folds[-1].split
    day = f"{pd.Timestamp(split.test_from) + pd.Timedelta(days=120):%Y-%m-%d}"
    assert check_future(prepared.shelf.snapshot, features, day) > 1000
    ahead = features.groupby(["student_id", "school_year"])["attendance_rate_1w"].shift(-1)
    with pytest.raises(ValueError, match="know the future: attendance_rate_1w; .* student-weeks") as told:
        check_future(prepared.shelf.snapshot, features.assign(attendance_rate_1w=ahead), day)
    assert "\n" not in str(told.value)

    frame = long_frame(features, build_labels(prepared.shelf.snapshot, "standard"))
    weeks = frame.groupby(["student_id", "school_year"])
    frame = frame.assign(attendance_rate_1w=weeks["attendance_rate_1w"].shift(-8))
    with pytest.raises(ValueError, match="know the future: attendance_rate_1w;"):
        cross_validation(frame, ["rules"], Rolling(tests=1), prepared.shelf.snapshot)

    place = tmp_path / "home"  # and so they are in a store, before any fold
    shutil.copytree(home, place)
    shutil.rmtree(place / "backtest", ignore_errors=True)
    files = sorted((place / "features" / "district").glob("*/*/*.parquet"))
    first = prepared.weeks["district"]["school_year"].min()
    early = [
        file for file in files if file.parent.name == f"school_year={first}"
    ]  # learned from, never judged
    assert early and len(early) < len(files)
    for file in early:
        honest = file.read_bytes()
        rows = pd.read_parquet(file).sort_values(["student_id", "week"])
        rows["attendance_rate_4w"] = rows.groupby("student_id")["attendance_rate_4w"].shift(-8)
        rows.to_parquet(file, index=False)
    run.stored_features.cache_clear()
    said = rf"in the learning of \d{{4}}/\d\d, school year {first}: .* know the future: attendance_rate_4w; .* known on \d{{4}}-"
    with pytest.raises(ValueError, match=said):
        prepare(ASK, Settings(home=place))
    [file] = early
    file.write_bytes(honest)
    for file in files:
        rows = pd.read_parquet(file)
        rows["incidents_ytd"] = rows.groupby("student_id")["incidents_ytd"].transform("max")
        rows.to_parquet(file, index=False)
    run.stored_features.cache_clear()
    with pytest.raises(ValueError, match="know the future: incidents_ytd"):
        prepare(ASK, Settings(home=place))
    run.stored_features.cache_clear()


def leaky(name):
    "The district's feature set with one input more."
    extra = replace(catalog.CATALOG["attendance_rate_1w"], name=name)
    return replace(
        catalog.find_feature_set("district"), name="leaky", catalog={**catalog.CATALOG, name: extra}
    )


def test_an_exit_code_among_the_inputs_is_refused(prepared, features, labels, monkeypatch):
    configuration = Configuration("rules")
    monkeypatch.setitem(catalog.FEATURE_SETS, "leaky", leaky("exit_code"))
    with pytest.raises(ValueError, match="exit_code among the inputs"):
        Ask((replace(configuration, feature_set="leaky"),), Rolling(), JUDGING)

    monkeypatch.setitem(catalog.FEATURE_SETS, "leaky", leaky("lunch_code"))
    hidden = replace(configuration, feature_set="leaky")
    Ask((hidden,), Rolling(), JUDGING)  # by its name nobody would know
    key = ["student_id", "school_year", "week"]
    left = features[key].merge(labels()[[*key, "last_attended"]], on=key, how="left")["last_attended"].notna()
    planted = features.assign(lunch_code=np.where(left, 3.0, np.nan))
    fold = Fold(hidden, prepared.folds[0].split)
    with pytest.raises(ValueError, match="lunch_code alone tells who leaves"):
        score_fold(fold, planted, labels)
    honest = features.assign(lunch_code=np.random.default_rng(0).integers(0, 4, len(features)).astype(float))
    assert len(score_fold(fold, honest, labels)) == len(rows_to_judge(features, fold.split))


def test_a_shared_student_across_folds_is_refused(prepared, features):
    split = replace(prepared.folds[-1].split, judged_people="leave_out")
    learned, judged = rows_to_learn(features, split), rows_to_judge(features, split)
    check_people_apart(learned, judged, split)
    assert not set(learned["person"]) & set(judged["person"])
    returning = features[(features["as_of"] <= split.learn_until) & features["person"].isin(judged["person"])]
    assert len(returning), "nobody comes back, and nothing is tested"
    with pytest.raises(ValueError, match="1 people are learned from and judged"):
        check_people_apart(pd.concat([learned, returning.iloc[:1]]), judged, split)


def test_a_label_window_over_the_split_is_refused(prepared, features, labels):
    fold = prepared.folds[-1]
    with pytest.raises(ValueError, match="training labels know the future: .* up to 20.*known_until=20"):
        score_fold(fold, features, lambda day=None: labels(None))  # labels of today, whatever was asked
    in_spring = replace(
        fold.split,
        test_from=f"{fold.split.test_from[:4]}-05-01",
        train_until=f"{fold.split.test_from[:4]}-05-01",
    )
    known = labels(in_spring.train_until)
    learned = rows_to_learn(features, in_spring)
    check_labels(learned, known, in_spring)
    late = features[(features["as_of"] >= in_spring.train_from) & (features["as_of"] < in_spring.test_from)]
    with pytest.raises(
        ValueError, match=f"look 60 days ahead, to .* the test begins on {in_spring.test_from}"
    ) as told:
        check_labels(late, known, in_spring)
    assert "\n" not in str(told.value)
    with pytest.raises(ValueError, match="gap_days=30 is shorter than the label window"):
        replace(in_spring, gap_days=30)


def test_nothing_of_the_test_changes_a_score(prepared, features, labels):
    "Rows and labels from the test on are turned over; what was scored before them stays to the bit."
    fold = replace(prepared.folds[0], configuration=Configuration("logistic"))
    middle = pd.Timestamp(fold.split.test_from) + pd.Timedelta(days=60)
    before = score_fold(fold, features, labels)
    changed = features.copy()
    names = list(catalog.find_feature_set("district").names)
    changed.loc[changed["as_of"] > middle, names] = changed.loc[changed["as_of"] > middle, names] * -3 + 7

    def turned(day=None):
        known = labels(day)
        return known if day is not None else known.assign(last_attended=known["as_of"], days=1, event=True)

    after = score_fold(fold, changed, turned)
    same = before["as_of"] <= middle
    assert same.any() and before.loc[same, "risk_score"].equals(after.loc[same, "risk_score"])
    assert not before.loc[~same, "risk_score"].equals(after.loc[~same, "risk_score"]) and after["left"].all()


def test_nothing_of_a_period_changes_what_was_picked_for_it(undisturbed):
    "Scores, outcomes and figures of the last period are turned over; what was known before it, and the picks, stay."
    shelf, folds = undisturbed.prepared.shelf, undisturbed.prepared.folds

    def known(turned=False):
        def then(fold, day):
            rows = pd.read_parquet(shelf.rows(fold))
            if turned and fold.split.name == folds[-1].split.name:
                rows = rows.assign(risk_score=-rows["risk_score"], left=True)
            return figures_then(fold, rows, stored_labels(shelf, fold.configuration, day), 0.1)

        return known_figures(folds, then)

    reached = reached_figures(undisturbed.folds)
    last = reached["fold"] == folds[-1].split.name
    other = reached.assign(value=reached["value"].where(~last, 1 - reached["value"]))
    before, after = make_choices(known(), reached), make_choices(known(turned=True), other)
    assert (
        len(before) and before["config"].equals(after["config"]) and not before["best"].equals(after["best"])
    )
    assert (before["regret"] >= 0).all() and set(before["period"]) == {folds[-1].split.name}


def test_what_is_left_out_changes_no_score(prepared, features, labels):
    fold = replace(prepared.folds[0], configuration=Configuration("logistic", without="discipline"))
    before = score_fold(fold, features, labels)
    names = [name for name, row in catalog.CATALOG.items() if row.modality == "discipline"]
    noise = np.random.default_rng(0).normal(size=(len(features), len(names)))
    pd.testing.assert_frame_equal(
        before, score_fold(fold, features.assign(**dict(zip(names, noise.T, strict=True))), labels)
    )
    whole = score_fold(replace(fold, configuration=Configuration("logistic")), features, labels)
    assert not before["risk_score"].equals(whole["risk_score"])
    network = Network(replace(fold.configuration, model="network"), fold.split.train_until)
    assert "discipline" not in build_sequences(features.head(50), network.configuration.features).columns


def test_what_is_kept_belongs_to_what_it_was_made_from(prepared):
    fold, shelf = prepared.folds[0], prepared.shelf
    other = replace(shelf, judging=replace(JUDGING, capacity_share=0.2))
    assert shelf.rows(fold) == other.rows(fold) and shelf.figures(fold) != other.figures(fold)
    newer = replace(shelf, snapshot=replace(shelf.snapshot, fingerprint="another"))
    assert newer.rows(fold) != shelf.rows(fold)


def test_a_blend_of_what_is_kept_is_the_blend_that_learns(prepared, features, labels):
    "On the first split: the parts and the year before come from the shelf, and the scores are those of `fit`."
    options, place = {"members": 1, "max_epochs": 1}, prepared.shelf.folder / "rows"
    blend = Fold(Configuration("blend", options=options), prepared.folds[0].split)
    before = set(place.glob("[!.]*.parquet"))
    kept, alone = kept_rows(blend, prepared.shelf), score_fold(blend, features, labels)
    assert np.allclose(kept["risk_score"], alone["risk_score"], atol=1e-9)
    pd.testing.assert_frame_equal(kept.drop(columns="risk_score"), alone.drop(columns="risk_score"))
    assert 0 <= share_of(blend, prepared.shelf) <= 1
    made = set(place.glob("[!.]*.parquet")) - before
    assert len(made) == 5, "two parts in two years, and the blend"
