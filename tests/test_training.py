"What no single notebook can show of the training: both databases, two processes at once, a knowledge of dates."

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
import torch
from forks import Forked

from edupulse.labels import NEVER_DAYS
from edupulse.model.config import ModelConfig, TrainingConfig
from edupulse.settings import Settings
from edupulse.store.engine import session
from edupulse.store.tables import model_metadata
from edupulse.training.calibration import Calibrator
from edupulse.training.estimator import RiskModel
from edupulse.training.examples import ExamplePlan, invent
from edupulse.training.split import labels_as_of, take_turns
from edupulse.training.tracking import EXPERIMENT, RunRecord, load_model, record_model, tracking_client

CONFIG = ModelConfig(hidden=4)
TRAINING = TrainingConfig(
    members=1, max_epochs=1, closing_epochs=1, batch_size=64, settle_days=30, progress=False
)


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


def same_weights(one, other) -> bool:
    "Whether two networks are equal to the bit."
    pairs = zip(one.state_dict().items(), other.state_dict().items(), strict=True)
    return all(name == twin and torch.equal(value, copy) for (name, value), (twin, copy) in pairs)


def turned(example, students):
    "The labels with another fate for some students: whoever stayed leaves soon, whoever left stays."
    chosen = example.labels["student_id"].isin(students)
    event, days = example.labels["event"], example.labels["days"]
    return example.labels.assign(
        event=event ^ chosen, days=days.where(~chosen, days.where(event, 5).mask(event, NEVER_DAYS))
    )


def test_what_is_calibrated_is_what_is_kept(example):
    "After the closing, the recent weeks of those who calibrate have reached no member."
    training = replace(TRAINING, fit_until="2022-12-01", train_until="2023-03-01")
    model = RiskModel(CONFIG, training).fit(example.sequences, example.labels)
    recent = example.labels["as_of"] >= "2022-12-01"
    calibrating = model.split_.calibrate.any(1)
    assert 0.1 < calibrating.mean() < 0.4  # half of the people, in one year of two
    students = example.sequences.keys["student_id"].to_numpy()
    for chosen, equal in ((students[calibrating], True), (students[~calibrating], False)):
        labels = pd.concat([example.labels[~recent], turned(example, chosen)[recent]]).sort_index()
        other = RiskModel(CONFIG, training).fit(example.sequences, labels)
        assert same_weights(model.members_[0], other.members_[0]) == equal


def test_each_member_leaves_its_own_turn_alone_in_the_closing(example):
    training = replace(TRAINING, members=2, fit_until="2022-12-01", train_until="2023-03-01")
    model = RiskModel(CONFIG, training).fit(example.sequences, example.labels)
    keys, recent = example.sequences.keys, example.labels["as_of"] >= "2022-12-01"
    first = keys["student_id"][take_turns(keys["person"], 2, training.seed) == 0]
    labels = pd.concat([example.labels[~recent], turned(example, first)[recent]]).sort_index()
    other = RiskModel(CONFIG, training).fit(example.sequences, labels)
    assert same_weights(model.members_[0], other.members_[0])
    assert not same_weights(model.members_[1], other.members_[1])
    assert model.calibrator_ != other.calibrator_
    late = example.sequences.valid & (example.sequences.as_of >= np.datetime64("2022-12-01"))
    assert np.array_equal(
        model.split_.calibrate, late & (example.sequences.as_of < np.datetime64("2023-03-01"))
    )


def test_a_period_of_which_nothing_is_settled_calibrates_nothing(example):
    training = replace(TRAINING, fit_until="2022-12-01", train_until="2023-03-01", settle_days=90)
    model = RiskModel(CONFIG, training).fit(example.sequences, example.labels)
    assert model.calibrator_ == Calibrator.none(len(CONFIG.cuts)) and model.trust_ == 1
    assert 0 < model.usual_risk_ < 1


def test_no_person_both_teaches_and_stops(example):
    keys = example.sequences.keys.assign(
        person=example.sequences.keys["student_id"].str[:-1]
    )  # ten students a person
    training = replace(TRAINING, validation_share=0.3, calibration_share=0.3)
    split = RiskModel(CONFIG, training).fit(replace(example.sequences, keys=keys), example.labels).split_
    teach, stop, gauge = (
        set(keys["person"][part.any(1)]) for part in (split.learn, split.stop, split.calibrate)
    )
    assert teach and stop and gauge and not teach & stop


def test_a_member_never_meets_the_people_of_its_turn(example):
    training = replace(TRAINING, members=2, calibrate_on="people")
    model = RiskModel(CONFIG, training).fit(example.sequences, example.labels)
    keys = example.sequences.keys
    first = keys["student_id"][take_turns(keys["person"], 2, training.seed) == 0]
    assert 0.3 < len(first) / len(keys) < 0.7
    other = RiskModel(CONFIG, training).fit(example.sequences, turned(example, first))
    assert same_weights(model.members_[0], other.members_[0])
    assert not same_weights(model.members_[1], other.members_[1])
    assert model.calibrator_ != other.calibrator_


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
    def track():
        print(tracking_client(Settings(home=tmp_path)).get_experiment_by_name(EXPERIMENT).experiment_id)

    runs = [Forked(track) for _ in range(2)]
    said = [run.communicate(timeout=300) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said[0][1][-1000:] + said[1][1][-1000:]
    assert said[0][0] == said[1][0] != b""
