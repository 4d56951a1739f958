"""Reasons against the whole catalogue, and against the future."""

import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from edupulse.explain.attribution import AttributionConfig, attribute
from edupulse.explain.deletion import deletion_test
from edupulse.explain.phrases import CONCERNS, STRENGTHS
from edupulse.explain.reasons import SILENT, reasons, record_now
from edupulse.features.catalog import CATALOG, find_feature_set
from edupulse.model.config import ModelConfig, TrainingConfig
from edupulse.scoring.examples import invent_district
from edupulse.sequences import build_sequences
from edupulse.training.estimator import RiskModel
from edupulse.training.examples import ExamplePlan

AS_OF = "2022-12-05"


@pytest.fixture(scope="module")
def trained():
    """A small trained model and the sequences of its second year."""
    district = invent_district(ExamplePlan(students=400, years=2, seed=5))
    sequences = build_sequences(district.features, find_feature_set("district"))
    training = TrainingConfig(
        train_until="2023-07-01",
        members=2,
        max_epochs=3,
        closing_epochs=0,
        learning_rate=1e-2,
        progress=False,
    )
    model = RiskModel(ModelConfig(), training).fit(sequences, district.labels)
    return model, sequences.select(sequences.keys["school_year"].to_numpy() == 2022)


def test_phrases_agree_with_the_catalogue():
    for name, phrase in CONCERNS.items():
        worse = CATALOG[name].worse
        assert worse in (phrase.side, "either"), (
            f"{name}: the phrase says {phrase.side}, the catalogue {worse}"
        )
    for name, phrase in STRENGTHS.items():
        assert CATALOG[name].worse != phrase.side, f"{name} is praised for what is worse"


def test_every_feature_that_can_be_bad_is_said_or_left_out_on_purpose():
    unsaid = {name for name, row in CATALOG.items() if row.worse != "either"} - set(CONCERNS)
    assert unsaid == set(SILENT)


def test_limits_lie_within_the_catalogue_ranges():
    for name, phrase in {**CONCERNS, **{f"+{name}": phrase for name, phrase in STRENGTHS.items()}}.items():
        low, high = CATALOG[name.removeprefix("+")].range
        assert (low is None or phrase.limit >= low) and (high is None or phrase.limit <= high), name


def test_words_are_kind():
    for phrase in [*CONCERNS.values(), *STRENGTHS.values()]:
        assert not re.search(
            r"dropout|drop out|risk|fail(ure|ed)|bad|poor|problem|delinquen", phrase.text.lower()
        ), phrase.text


def test_the_future_changes_no_reason(trained):
    model, sequences = trained
    poisoned = {name: block.copy() for name, block in sequences.inputs.items()}
    generator = np.random.default_rng(0)
    for block in poisoned.values():
        later = sequences.as_of > np.datetime64(AS_OF)
        block[later] = generator.normal(0, 1e3, block[later].shape)
    before = sequences.until(AS_OF).select(np.arange(40))
    after = replace(sequences, inputs=poisoned).until(AS_OF).select(np.arange(40))
    one, two = attribute(model, before), attribute(model, after)
    assert one.parts.tobytes() == two.parts.tobytes()
    assert reasons(record_now(before), one.parts, CATALOG) == reasons(record_now(after), two.parts, CATALOG)


def test_named_reasons_carry_the_score(trained):
    model, sequences = trained
    now = sequences.until(AS_OF)
    risk = (
        model.predict(now).groupby("student_id")["risk_score"].last().loc[now.keys["student_id"]].to_numpy()
    )
    top = now.select(np.argsort(-risk)[:40])
    given = attribute(model, top)
    found = reasons(record_now(top), given.parts, CATALOG)
    test = deletion_test(model.ensemble_, top, found)
    assert test.named.mean() > 1.5 * max(test.random.mean(), 0) and test.wins > 0.75, test
    assert np.abs(given.delta).max() < 0.05


def test_twelve_nodes_are_enough_for_a_trained_model(trained):
    model, sequences = trained
    few = sequences.until(AS_OF).select(np.arange(30))
    coarse, fine = attribute(model, few), attribute(model, few, AttributionConfig(steps=100))
    assert np.abs(coarse.parts - fine.parts).max() < 0.02
    said = [[r.feature for r in each] for each in reasons(record_now(few), coarse.parts, CATALOG)]
    assert said == [[r.feature for r in each] for each in reasons(record_now(few), fine.parts, CATALOG)]


def test_a_student_without_data_gets_no_reason(trained):
    model, sequences = trained
    now = sequences.until(AS_OF).select(np.arange(5))
    empty = replace(now, inputs={name: np.full_like(block, np.nan) for name, block in now.inputs.items()})
    given = attribute(model, empty)
    assert not given.parts.any()
    assert reasons(record_now(empty), given.parts, CATALOG) == [[]] * 5


def test_what_dashboards_import_does_not_bring_torch():
    code = (
        "import sys, edupulse.scoring.caseload, edupulse.faces.caseload_page; "
        "sys.exit(' '.join(name for name in ('torch', 'captum', 'mlflow') if name in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, f"imported: {done.stderr.strip()}"
