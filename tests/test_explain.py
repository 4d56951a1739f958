"""Reasons against the whole catalogue, and against the future."""

import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edupulse.explain.attribution import AttributionConfig, attribute
from edupulse.explain.deletion import deletion_test
from edupulse.explain.phrases import CONCERNS, STRENGTHS, Number
from edupulse.explain.reasons import SILENT, reasons, record_now
from edupulse.explain.steps import STEPS, own_step, shared_steps, step_counts
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


CLOSE = {"absence": "unexcused_absences_4w", "missing work": "missing_work_4w", "grades": "grade_mean_4w"}
NUMBERS = st.none() | st.just(float("nan")) | st.floats(-20, 120) | st.integers(0, 12).map(float)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(sorted(CONCERNS)), max_size=3, unique_by=lambda name: CONCERNS[name].theme),
    st.fixed_dictionaries({}, optional={name: NUMBERS for step in STEPS for name in step.when}),
)
def test_a_next_step_is_about_the_reasons_and_quotes_what_is_known(names, values):
    factors = [
        {"factor": name, "theme": CONCERNS[name].theme, "recommendation": CATALOG[name].next_step}
        for name in names
    ]
    said = own_step(factors, values, "10 – 16 Nov", {})
    assert (said is None) == (not factors) and said == own_step(factors, dict(values), "10 – 16 Nov", {})
    if said is None or said in {factor["recommendation"] for factor in factors}:
        return
    found = [
        step
        for step in STEPS
        if step.text
        and step.holds({factor["theme"] for factor in factors}, values)
        and said
        == step.text.format(**{name: Number(values[name]) for name in step.when}, last_week="10 – 16 Nov")
    ]
    assert len(found) == 1 and "nan" not in said


def test_students_with_the_same_reasons_get_steps_of_their_own():
    """Of a list on which everybody has the same three reasons, no sentence holds for half."""
    same = [
        {"factor": name, "theme": theme, "recommendation": CATALOG[name].next_step}
        for theme, name in CLOSE.items()
    ]
    generator = np.random.default_rng(3)
    values = [
        {
            "current_absence_streak": float(generator.poisson(1.2)),
            "attendance_rate_1w": float(generator.integers(0, 6) / 5),
            "excused_absences_4w": float(generator.poisson(1.5)),
            "courses_failing": float(generator.poisson(0.8)),
            "missing_work_4w": float(2 + generator.poisson(3)),
        }
        for _ in range(48)
    ]
    steps = [own_step(same, each, "10 – 16 Nov", step_counts([same] * 48)) for each in values]
    assert max(Counter(steps).values()) < 24 and len(set(steps)) > 12
    assert [each.count for each in shared_steps([same] * 48)] == [48, 48, 48]


@given(st.integers(1, 12), st.integers(1, 12))
def test_failing_courses_are_counted_and_never_a_percentage(failing, more):
    courses = failing + more - 1
    values = {
        "courses_failing": float(failing),
        "courses_failing_share": float(np.float32(failing / courses)),
    }
    for name, value in values.items():
        said = CONCERNS[name].say(value, date(2025, 11, 16), date(2025, 11, 16), values)
        assert said == f"Failing {failing} of {courses} course{'' if courses == 1 else 's'} as of 16 Nov."
    assert "%" not in CONCERNS["courses_failing_share"].say(
        failing / courses, date(2025, 11, 16), date(2025, 11, 16)
    )


def test_no_next_step_speaks_of_what_nobody_knows():
    """A letter that somebody may send, a change that was not named: a step must be whole without its reason beside it."""
    for step in [*(row.next_step for row in CATALOG.values()), *(step.text for step in STEPS)]:
        assert not re.search(r"the letter|since then|that piece", step), step


def test_what_dashboards_import_does_not_bring_torch():
    code = (
        "import sys, edupulse.scoring.caseload, edupulse.faces.caseload_page; "
        "sys.exit(' '.join(name for name in ('torch', 'captum', 'mlflow') if name in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, f"imported: {done.stderr.strip()}"
