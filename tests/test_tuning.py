"""Processes of a search are killed at random: no trial is lost, none is judged twice, and their number is exact."""

import json
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pandas as pd
import psutil
import pytest
from databases import postgresql_database

from edupulse.backtest.figures import settled_rows
from edupulse.backtest.fold import Judging
from edupulse.backtest.grid import Configuration, Fold
from edupulse.backtest.kept import run_fold
from edupulse.backtest.plan import Rolling
from edupulse.backtest.record import experiment_of, record_fold
from edupulse.backtest.run import collect
from edupulse.evaluation.metrics import Ranking, Resampling, auroc
from edupulse.faces.reports import run_report
from edupulse.settings import Settings
from edupulse.training.tracking import tracking_client
from edupulse.tuning.objective import Tune, spare_latest
from edupulse.tuning.storage import ServerClaims, claims_on, open_storage
from edupulse.tuning.study import collect_search, prepare_search, run_search

JUDGING = Judging(0.1, Resampling(repeats=5))
CREW = """
import json, os, pickle, random, signal, sys, time, traceback
import lightgbm, optuna, psutil, sklearn.linear_model
from edupulse.tuning.trials import desk_for, judge_kept, work_at

job = pickle.loads(open(sys.argv[1], "rb").read())
processes, kills, draw, log = int(sys.argv[2]), int(sys.argv[3]), random.Random(int(sys.argv[4])), sys.argv[5]


def judged(fold):
    note = judge_kept(fold, job)
    if note["learned"]:
        with open(log, "a") as stream:
            stream.write(note["key"] + "\\n")
    return note


def begin():
    pid = os.fork()
    if pid:
        return pid
    try:
        with desk_for(job, judged) as desk:
            work_at(desk)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def work():  # processor seconds: on a starved machine a clock would kill one trial again and again before it can go on
    alive = [psutil.Process(pid).cpu_times() for pid in crew]
    return os.times().children_user + sum(each.user for each in alive)


crew, killed, due = [begin() for _ in range(processes)], 0, draw.uniform(0.5, 1.5)
while crew:
    pid, status = os.waitpid(-1, os.WNOHANG)
    if pid:
        crew.remove(pid)
        if os.WIFSIGNALED(status):
            crew.append(begin())
        elif os.WEXITSTATUS(status):
            sys.exit("a worker failed")
    elif killed < kills and work() > due:
        os.kill(draw.choice(crew), signal.SIGKILL)
        killed, due = killed + 1, work() + draw.uniform(0.3, 2.5)
    else:
        time.sleep(0.02)
print(json.dumps({"killed": killed}))
"""


@pytest.fixture(scope="module")
def home(four_years):
    "A district of 250 students over four years, from raw records to features."
    return four_years


def place_for(home, folder):
    "A copy of a home."
    shutil.copytree(home, folder / "home")
    return Settings(home=folder / "home")


def searched(settings, trials):
    "A search for the penalty of regression on two past years, and the recipe judged."
    rolling = Rolling(tests=2, until=spare_latest(settings, "district"))
    question = Tune(Configuration("logistic"), rolling, JUDGING, objective="auroc", trials=trials)
    search = prepare_search(question, settings)
    client = tracking_client(settings)
    for fold in search.prepared.folds:  # in this process: a new one would take longer to start than to judge
        work = run_fold(fold, search.job.shelf)
        record_fold(fold, search.job.shelf, client, experiment_of(client, settings), work)
    return search, collect(search.prepared)


def worked(search, folder, processes, kills, seed):
    "Let forked workers finish a study while they are killed; how many were, and what they learned."
    (folder / "job.pickle").write_bytes(pickle.dumps(search.job))
    program, log = folder / "crew.py", folder / "learned.log"
    program.write_text(CREW, encoding="utf-8")
    asked = [str(folder / "job.pickle"), str(processes), str(kills), str(seed), str(log)]
    done = subprocess.run(
        [sys.executable, str(program), *asked], capture_output=True, text=True, cwd=folder, timeout=1500
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)["killed"], Counter(log.read_text().split())


def check_whole(search, recipe, trials, learned):
    "Every trial once, each with the value that its folds have, no fold learned twice, each on record once."
    tuning = collect_search(search, recipe)
    assert tuning.trials["number"].tolist() == list(range(trials)), "as many as were asked for, none lost"
    assert max(learned.values()) == 1, "finished work was repeated"
    job = search.job
    for row in tuning.trials.itertuples():
        assert row.state in ("finished", "stopped"), row.reason
        figures = [json.loads(job.shelf.figures(fold).read_text()) for fold in folds_of(search, row)]
        assert len(figures) == len(job.splits) or row.state == "stopped"
        came = np.mean([each["auroc"]["value"] for each in figures])
        assert np.isclose(came, row.so_far, atol=1e-12)
    client = tracking_client(job.settings)
    runs = client.search_runs(
        [client.get_experiment_by_name("edupulse-backtest").experiment_id], max_results=1000
    )
    keys = Counter(run.data.tags["fold_key"] for run in runs)
    assert max(keys.values()) == 1 and {
        note["key"] for notes in tuning.trials["splits"] for note in notes
    } <= set(keys)
    for row in tuning.trials.itertuples():  # from each figure to its run, and from the run to its rows
        for run, note in zip(row.run_ids, row.splits, strict=True):
            key = client.get_run(run).data.tags["fold_key"]
            rows = settled_rows(pd.read_parquet(job.shelf.folder / "rows" / f"{key}.parquet"))
            area = auroc(Ranking.of(rows["left"].to_numpy(), rows["risk_score"].to_numpy()))
            assert np.isclose(area, note["value"], atol=1e-6)
    return tuning


def folds_of(search, row):
    "The folds that a trial was judged on."
    return [Fold(row.configuration, split) for split, _ in zip(search.job.splits, row.splits, strict=False)]


def test_workers_that_are_killed_lose_no_trial(home, tmp_path):
    settings = place_for(home, tmp_path)
    search, recipe = searched(settings, trials=5)
    killed, learned = worked(search, tmp_path, processes=2, kills=2, seed=1)
    tuning = check_whole(search, recipe, 5, learned)
    assert killed and tuning.trials["left_behind"].sum() <= killed

    again = collect_search(search, recipe)
    assert (
        again.run_id == tuning.run_id
        and again.trials["run_ids"].tolist() == tuning.trials["run_ids"].tolist()
    )
    other = replace(search, content="other records")
    with pytest.raises(ValueError, match="was begun with other records.*leave study empty") as told:
        collect_search(other, recipe)
    assert "\n" not in str(told.value)


def test_studies_lie_in_a_schema_of_their_own(postgresql, tmp_path):
    "Four at once make it once; a claim ends with its connection."
    with postgresql_database(postgresql) as url:
        settings = Settings(home=tmp_path, database_url=url)
        with ThreadPoolExecutor(4) as pool:
            storages = list(pool.map(lambda _: open_storage(settings), range(4)))
        with storages[0].engine.connect() as connection:
            tables = connection.exec_driver_sql(
                "select table_schema from information_schema.tables where table_name = 'trials'"
            )
            assert tables.scalars().all() == ["tuning"]
        for storage in storages:
            storage.engine.dispose()
        gone = ServerClaims(settings, "s")
        with claims_on("s", settings) as claims, claims.alone():
            assert not claims.gone(gone.worker) and not claims.gone(claims.worker) and claims.gone("")
            gone.close()
            deadline = time.monotonic() + 10
            while not claims.gone(gone.worker):
                assert time.monotonic() < deadline, "a claim outlived its connection"
                time.sleep(0.05)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_four_workers_killed_often(home, tmp_path, postgresql, kind, seed):
    store = place_for(home, tmp_path)
    search, recipe = searched(store, trials=24)
    if kind == "sqlite":
        killed, learned = worked(search, tmp_path, processes=4, kills=25, seed=seed)
        check_whole(search, recipe, 24, learned)
    else:
        with postgresql_database(postgresql) as url:
            there = replace(
                search, job=replace(search.job, settings=Settings(home=store.home, database_url=url))
            )
            killed, learned = worked(there, tmp_path, processes=4, kills=25, seed=seed)
            check_whole(there, recipe, 24, learned)
    assert killed >= 5
    print(
        f"{kind}, seed {seed}: {killed} of four workers killed, 24 trials, {len(learned)} folds, each learned once"
    )


COMMAND = """
import pickle, sys
from edupulse.tuning.study import run_search
if __name__ == "__main__":
    run_search(pickle.loads(open(sys.argv[1], "rb").read()), processes=2, progress=False)
"""


@pytest.mark.soak
def test_two_commands_on_one_study_are_killed_whole(home, tmp_path):
    "Commands and their processes are killed at random and started again, until the study is done."
    settings = place_for(home, tmp_path)
    search, recipe = searched(settings, trials=20)
    (tmp_path / "search.pickle").write_bytes(pickle.dumps(search))
    program, draw, killed = tmp_path / "command.py", random.Random(0), 0
    program.write_text(COMMAND, encoding="utf-8")

    def begin():
        command = [sys.executable, str(program), str(tmp_path / "search.pickle")]
        return subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL)

    commands, ended, deadline = [begin(), begin()], 0, time.monotonic() + 1500
    while ended < 2:
        assert time.monotonic() < deadline
        time.sleep(draw.uniform(2, 12))
        if killed < 8:
            chosen = draw.choice(commands)
            family = (
                [psutil.Process(chosen.pid), *psutil.Process(chosen.pid).children()]
                if chosen.poll() is None
                else []
            )
            if family:
                os.kill(draw.choice(family).pid, signal.SIGKILL)
                killed += 1
        for command in list(commands):
            if command.poll() is not None:
                commands.remove(command)
                ended += command.returncode == 0
                if command.returncode:
                    commands.append(begin())
    check_whole(search, recipe, 20, Counter({"": 1}))
    assert killed >= 4


@pytest.mark.soak
def test_the_page_shows_what_is_on_record(home, tmp_path):
    settings = place_for(home, tmp_path)
    asked = {"model": "logistic", "tests": 2, "trials": 4, "capacity_share": 0.1, "bootstrap_repeats": 5}
    run = run_report("tune", asked, settings=settings)
    page, file = run.html.read_text(encoding="utf-8"), next((settings.home / "tuning").glob("*.yaml"))
    assert page.count("<h1") == 1 and "<script" not in page and "Traceback" not in page
    figures = json.loads((settings.home / "runs" / "metrics" / f"tune-{file.stem}.json").read_text())
    assert all(run_id in page for trial in figures["trials"] for run_id in trial["run_ids"])
    assert f"{figures['tuned']['value']:.4f}" in page

    judged = {
        "models": ["rules"],
        "configs": [str(file)],
        "tests": 1,
        "capacity_share": 0.1,
        "bootstrap_repeats": 5,
    }
    page = run_report("backtest", judged, settings=settings).html.read_text(encoding="utf-8")
    assert figures["tuned"]["study"] in page and "Logistic regression" in page
    with pytest.raises(RuntimeError, match="was chosen on what is known before .* judged from"):
        run_report("backtest", {**judged, "tests": 2}, settings=settings)
    with pytest.raises(RuntimeError, match="holds logistic, and a training makes a network"):
        run_report("train", {"config": str(file)}, settings=settings)


@pytest.mark.soak
def test_alone_it_draws_the_same_again(home, tmp_path):
    found = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        settings = place_for(home, tmp_path / name)
        search, _ = searched(settings, trials=14)
        found.append(run_search(search, processes=1, progress=False).trials)
    assert found[0]["params"].tolist() == found[1]["params"].tolist()
    assert found[0]["value"].fillna(-1).tolist() == found[1]["value"].fillna(-1).tolist()
