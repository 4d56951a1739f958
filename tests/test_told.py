"What people told, from the store to the label, on both databases; and that nothing changes where nobody told anything."

import shutil
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from edupulse.labels import build_labels
from edupulse.model.config import ModelConfig, TrainingConfig
from edupulse.scoring.examples import fill_store, invent_district
from edupulse.sequences import build_sequences
from edupulse.store import tables
from edupulse.store.engine import session
from edupulse.store.snapshot import refresh
from edupulse.store.tables import natural_id
from edupulse.support import count_supported, mark_supported, out_of_sight, support_spans
from edupulse.told import count_told
from edupulse.training.estimator import RiskModel
from edupulse.training.examples import ExamplePlan


@pytest.fixture(scope="module")
def district():
    return invent_district(ExamplePlan(students=40, years=1, weeks=20))


def score_of(person, number, as_of=date(2021, 11, 1)):
    "A row of predictions, so that something can be told of it."
    return dict(
        id=natural_id("predictions", number), student_id=natural_id("students", person), as_of=as_of, horizon_days=60,
        risk_score=0.2, risk_category="high", model_version=f"m{number}",
    )  # fmt: skip


def answer(number, told, kind, outcome=None, day=None):
    "A row of feedback about the score of that number."
    return dict(
        id=natural_id("training_feedback", number, str(told)), prediction_id=natural_id("predictions", number),
        feedback_type=kind, outcome_type=outcome, outcome_date=day, created_at=told, educator_notes="Quirrenbach",
    )  # fmt: skip


def label_of(labels, person, as_of="2021-10-04"):
    rows = labels[labels["student_id"] == str(natural_id("students", person))]
    return rows[rows["as_of"] >= as_of].iloc[0]


def test_an_outcome_becomes_a_label_on_the_day_it_was_told(store, district, tmp_path):
    fill_store(store, district.features)
    plain = refresh(store, tmp_path / "snapshot", progress=False)
    before = {day: build_labels(plain, known_until=day) for day in ("2021-12-10", None)}
    stayed = district.features.groupby("person")["week"].max()
    here = stayed[stayed == 20].index[0]
    with session(store) as db:
        db.execute(sa.insert(tables.predictions), [score_of(here, 1), score_of(stayed.index[1], 2)])
        told = datetime(2021, 12, 10, 9, tzinfo=UTC)
        rows = [
            answer(1, told, "true_positive", "dropout", date(2021, 11, 15)),
            answer(2, told, "false_positive"),
        ]
        for row in rows:
            db.execute(sa.insert(tables.training_feedback), row)
    made = refresh(store, tmp_path / "snapshot", progress=False)
    assert made.fingerprint != plain.fingerprint and "Quirrenbach" not in repr(made)
    with made.connect() as db:
        assert "Quirrenbach" not in repr(db.table("feedback").fetchall())
    pd.testing.assert_frame_equal(build_labels(made, known_until="2021-12-10"), before["2021-12-10"])
    after = build_labels(made, known_until="2021-12-11")
    assert label_of(after, here)["event"] and not label_of(before[None], here)["event"]
    others = before[None]["student_id"] != str(natural_id("students", here))
    pd.testing.assert_frame_equal(build_labels(made)[others.to_numpy()], before[None][others])
    counts = {"told": 2, "outcomes": 1, "without_outcome": 1, "students": 2}
    assert count_told(made) == counts and count_told(made, known_until="2021-12-10")["told"] == 0


def test_support_is_read_as_it_was_known(store, district, tmp_path):
    fill_store(store, district.features)
    plain = refresh(store, tmp_path / "snapshot", progress=False)
    assert support_spans(plain).empty
    person = district.features["person"].iloc[0]
    entered = datetime(2021, 11, 1, 8, tzinfo=UTC)
    with session(store) as db:
        db.execute(sa.insert(tables.staff), dict(id=natural_id("staff", "c"), username="c", role="counselor"))
        db.execute(sa.insert(tables.interventions), dict(
            id=natural_id("interventions", 1), student_id=natural_id("students", person), champion_id=natural_id("staff", "c"),
            intervention_type="mentor", positive_goal="Quirrenbach", start_date=date(2021, 11, 1), length_weeks=6,
            state="active", created_at=entered, updated_at=entered,
        ))  # fmt: skip
    made = refresh(store, tmp_path / "snapshot", progress=False)
    assert made.fingerprint != plain.fingerprint
    assert support_spans(made, "2021-11-01").empty
    spans = support_spans(made, "2021-11-02")
    assert (spans["end"] - spans["start"]).dt.days.tolist() == [42]
    counts = count_supported(district.features, spans)
    assert counts["supported_students"] == 1 and 6 <= counts["supported_weeks"] <= 7


def test_where_nobody_is_supported_a_training_is_the_same_to_the_bit(district):
    nobody = pd.DataFrame({"student_id": [], "start": [], "end": []})
    sequences, labels = build_sequences(district.features), district.labels
    training = TrainingConfig(
        members=1,
        max_epochs=1,
        closing_epochs=0,
        batch_size=32,
        settle_days=0,
        validation_share=0.3,
        progress=False,
    )
    first = RiskModel(ModelConfig(hidden=4), training).fit(sequences, labels)
    kept = RiskModel(ModelConfig(hidden=4), training).fit(
        sequences, out_of_sight(labels, nobody, (60, 180, 365))
    )
    assert kept.version_ == first.version_


def test_support_as_an_input_knows_its_week_and_no_other(district):
    sequences = build_sequences(district.features)
    student = sequences.keys["student_id"].iloc[0]
    span = {
        "student_id": [student],
        "start": [pd.Timestamp("2021-11-01")],
        "end": [pd.Timestamp("2021-12-13")],
    }
    span["known_from"] = span["start"]
    marked = mark_supported(sequences, pd.DataFrame(span))
    column = marked.context[0, :, -1]
    weeks = sequences.as_of[0][column == 1]
    assert marked.columns["context"][-1] == "supported" and np.nansum(marked.context[1:, :, -1]) == 0
    assert weeks.min() > np.datetime64("2021-11-01") and weeks.max() < np.datetime64("2021-12-20")
    assert (sequences.context == marked.context[..., :-1])[sequences.valid].all()


def test_a_snapshot_of_before_holds_records_alone_and_serves(store, district, tmp_path):
    fill_store(store, district.features)
    made = refresh(store, tmp_path / "snapshot", progress=False)
    labels = build_labels(made)
    for name in ("feedback", "interventions"):
        shutil.rmtree(made.path / name)
    pd.testing.assert_frame_equal(build_labels(made), labels)
    assert support_spans(made).empty and count_told(made)["told"] == 0
