"""The open university's benchmark, in one command, on an invented university: what the page says is what was kept."""

import json
import os
import signal

import numpy as np
import pandas as pd
import pytest
from forks import Forked
from scipy.special import logit

from edupulse.benchmark.examples import Invented, invent_oulad
from edupulse.benchmark.figures import ten_bins
from edupulse.benchmark.record import Scores, record_run
from edupulse.evaluation.metrics import Ranking, auroc, average_precision
from edupulse.faces.reports import run_report
from edupulse.settings import Settings
from edupulse.training.tracking import tracking_client

pytestmark = pytest.mark.usefixtures("warm_reports")
ASKED = {"members": 1, "max_epochs": 1, "bootstrap_repeats": 10, "days": [28]}


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    "The report on an invented university, and the machine that it ran on."
    place = tmp_path_factory.mktemp("university")
    folder = invent_oulad(place / "oulad", Invented(registrations=40))
    settings = Settings(home=place / "machine", threads=1)
    return run_report("oulad", {**ASKED, "source": str(folder)}, settings=settings), settings


def kept(settings) -> tuple[dict, dict[str, pd.DataFrame]]:
    "The figures as they were written, and the rows of each file of scores."
    (file,) = (settings.home / "runs" / "metrics").glob("oulad-*.json")
    scores = settings.home / "runs" / "oulad" / "home" / "benchmark"
    return json.loads(file.read_text()), {
        file.name: pd.read_parquet(file) for file in scores.glob("*.parquet")
    }


def test_the_page_is_whole_and_names_nobody(ran):
    run, settings = ran
    page, (told, scores) = run.html.read_text(encoding="utf-8"), kept(settings)
    assert (
        page.count("<h1") == 1 and "<script" not in page and "Traceback" not in page and "[debug" not in page
    )
    assert "http://" not in page.replace("http://www.w3.org", "")
    people = {person for rows in scores.values() for person in rows["student_id"]}
    assert people and not any(person in page for person in people)
    for figures in told["figures"].values():
        for row in figures:
            assert row["run_id"] in page and f"{row['auroc']['value']:.3f}" in page


def test_every_figure_recomputes_from_the_rows_of_its_run(ran):
    _, settings = ran
    told, scores = kept(settings)
    client, checked = tracking_client(settings), 0
    for figures in told["figures"].values():
        for row in figures:
            logged = client.get_run(row["run_id"]).data.metrics
            for name in ("auroc", "average_precision"):
                assert logged[f"{row['moment']}.{name}.value"] == row[name]["value"]
            if row["scores"] not in scores:  # several models together: their parts are kept
                continue
            rows = scores[row["scores"]]
            rows = rows[(rows["model"] == row["model"]) & (rows["moment"] == row["moment"])]
            ranking = Ranking.of(rows["outcome"], rows["risk_score"])
            assert np.isclose(auroc(ranking), row["auroc"]["value"], atol=1e-9)
            assert np.isclose(average_precision(ranking), row["average_precision"]["value"], atol=1e-9)
            if row["ece"]:
                error = ten_bins(rows["outcome"].to_numpy(bool), rows["risk_score"].to_numpy())
                assert np.isclose(error, row["ece"]["value"], atol=1e-9)
            checked += 1
    assert checked >= 16


def test_the_models_together_are_the_mean_of_what_was_kept(ran):
    _, settings = ran
    told, scores = kept(settings)
    figures = [row for row in told["figures"]["Withdraws later"] if row["moment"] == 8]
    files = {row["model"]: scores[row["scores"]] for row in figures if row["scores"] in scores}
    keys = ["student_id", "outcome"]
    wide = [
        rows[rows["moment"] == 8].set_index(keys)[["risk_score", "shift"]].add_suffix(f"_{model}")
        for model, rows in files.items()
    ]
    wide = pd.concat(wide, axis=1)
    odds = {
        name: logit(wide[f"risk_score_{name}"]) + wide[f"shift_{name}"]
        for name in ("network", "boosting", "logistic")
    }
    assert not wide["shift_network"].any() and wide["shift_boosting"].any(), "the network has it in its score"
    for model, members in {"together": list(odds), "boosting_class": ["boosting"]}.items():
        mean = sum(odds[name] for name in members) / len(members)
        area = auroc(Ranking.of(wide.index.get_level_values("outcome"), mean.to_numpy()))
        (row,) = (row for row in figures if row["model"] == model)
        assert np.isclose(area, row["auroc"]["value"], atol=1e-9)


def test_the_store_of_the_machine_is_left_alone(ran):
    _, settings = ran
    assert not any((settings.home / name).exists() for name in ("features", "snapshot", "models"))


def test_a_folder_without_the_files_is_refused_before_a_kernel_starts(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"^no studentInfo.csv in .*CC BY 4.0"):
        run_report("oulad", {"source": str(tmp_path)}, settings=Settings(home=tmp_path / "home"))


SCORES = Scores("withdrawal", "rules", {"seed": 0}, ("edupulse.labels",))


def test_a_run_that_a_kill_left_open_is_completed(tmp_path):
    "Killed after the run was begun and before a figure stood in it."
    settings = Settings(home=tmp_path)

    def recorded():
        import mlflow

        mlflow.MlflowClient.log_batch = lambda *figures, **more: os.kill(os.getpid(), signal.SIGKILL)
        record_run(settings, SCORES, "rules", {"4": {"auroc": 0.7}})

    dead = Forked(recorded)
    assert dead.wait(240) == -signal.SIGKILL, dead.communicate()
    client = tracking_client(settings)
    place = client.get_experiment_by_name("edupulse-benchmark").experiment_id
    (left,) = client.search_runs([place])
    assert left.info.status == "RUNNING" and not left.data.metrics
    assert record_run(settings, SCORES, "rules", {"4": {"auroc": 0.7}}) == left.info.run_id
    (whole,) = client.search_runs([place])
    assert whole.info.status == "FINISHED" and whole.data.metrics == {"4.auroc": 0.7}
