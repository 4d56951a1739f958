"What no single notebook can show of the training: both databases, two processes at once, a knowledge of dates."

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from edupulse.model.config import ModelConfig, TrainingConfig
from edupulse.settings import Settings
from edupulse.store.engine import session
from edupulse.store.tables import model_metadata
from edupulse.training.estimator import RiskModel
from edupulse.training.examples import ExamplePlan, invent
from edupulse.training.split import labels_as_of
from edupulse.training.tracking import RunRecord, load_model, record_model

CONFIG = ModelConfig(hidden=4)
TRAINING = TrainingConfig(members=1, max_epochs=1, closing_epochs=1, batch_size=64, progress=False)


@pytest.fixture(scope="module")
def example():
    return invent(ExamplePlan(students=120, years=2))


def test_labels_are_asked_for_two_days_and_no_later(example):
    asked = []

    def labels(day):
        asked.append(day)
        return labels_as_of(example.labels, day)

    training = replace(TRAINING, train_until="2023-03-01")
    model = RiskModel(CONFIG, training).fit(example.sequences, labels)
    assert asked == [model.split_.fit_until, "2023-03-01"]
    assert RiskModel(CONFIG, training).fit(example.sequences, example.labels).version_ == model.version_


def test_the_calibration_period_teaches_nothing_before_the_closing(example):
    "With no closing epochs, whatever happens after fit_until cannot reach the members."
    training = replace(TRAINING, closing_epochs=0, fit_until="2022-12-01", train_until="2023-03-01")
    after = example.labels["as_of"] >= "2022-12-01"
    changed = example.labels.assign(
        days=example.labels["days"].where(~after, 5), event=example.labels["event"] | after
    )
    changed["last_attended"] = pd.NaT
    first, second = (
        RiskModel(CONFIG, training).fit(example.sequences, labels) for labels in (example.labels, changed)
    )
    for name, value in first.members_[0].state_dict().items():
        assert (value == second.members_[0].state_dict()[name]).all(), name
    assert first.calibrator_ != second.calibrator_


@pytest.mark.parametrize("calibrate_on", ["later", "people"])
def test_no_person_both_teaches_and_stops(example, calibrate_on):
    keys = example.sequences.keys.assign(
        person=example.sequences.keys["student_id"].str[:-1]
    )  # ten students a person
    training = replace(TRAINING, calibrate_on=calibrate_on, validation_share=0.3, calibration_share=0.3)
    split = RiskModel(CONFIG, training).fit(replace(example.sequences, keys=keys), example.labels).split_
    teach, stop, gauge = (
        set(keys["person"][part.any(1)]) for part in (split.learn, split.stop, split.calibrate)
    )
    assert teach and stop and gauge and not teach & stop
    assert calibrate_on == "later" or not (teach | stop) & gauge


def test_one_model_is_active_on_either_database(example, store, tmp_path):
    settings = Settings(home=tmp_path)
    models = [
        RiskModel(CONFIG, replace(TRAINING, seed=seed)).fit(example.sequences, example.labels)
        for seed in (0, 1)
    ]
    for model in models:
        record_model(
            model, settings, store, RunRecord({"auc_roc": np.float64(0.75)}, "data", {"roc": "<svg/>"})
        )
    record_model(models[0], settings, store, RunRecord(alias=""))
    with session(store, read_only=True) as db:
        rows = db.execute(sa.select(model_metadata.c.model_version, model_metadata.c.is_active)).all()
    assert sorted(rows) == sorted([(models[0].version_, False), (models[1].version_, True)])
    assert load_model(settings, store).version_ == models[1].version_


def test_two_processes_may_start_tracking_at_once(tmp_path):
    code = (
        "import sys\nfrom pathlib import Path\nfrom edupulse.settings import Settings\n"
        "from edupulse.training.tracking import EXPERIMENT, tracking_client\n"
        "client = tracking_client(Settings(home=Path(sys.argv[1])))\n"
        "print(client.get_experiment_by_name(EXPERIMENT).experiment_id)"
    )
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(2)
    ]
    said = [run.communicate(timeout=300) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said[0][1][-1000:] + said[1][1][-1000:]
    assert said[0][0] == said[1][0] != b""


def test_a_gpu_is_used_where_there_is_one(example):
    import torch

    if not torch.cuda.is_available():
        pytest.skip("NOT TESTED ON A GPU: there is none here")
    model = RiskModel(CONFIG, replace(TRAINING, accelerator="gpu")).fit(example.sequences, example.labels)
    assert model.predict(example.sequences)["risk_score"].between(0, 1).all()
