"A group whose records are degraded is found by the audit, one whose records are whole is not, and eight students prove nothing."

from datetime import date

import numpy as np
import pandas as pd
import pytest

from edupulse.backtest.grid import Configuration
from edupulse.backtest.models import make_model
from edupulse.evaluation.assess import ROW_KEY
from edupulse.evaluation.fairness import FAIL, FIGURES, PASS, UNSURE, FairnessRule, audit, gate
from edupulse.evaluation.metrics import Resampling
from edupulse.features.oracle import connect_frames
from edupulse.features.weekly import frame_features
from edupulse.labels import build_labels, settled_within

FIRST, LAST, HORIZON = date(2023, 8, 28), date(2024, 3, 1), 30
DAYS = pd.bdate_range(FIRST, LAST)
STUDENTS, CAPACITY = 3000, 0.1  # students; share of them who can be met in a week
RULE = FairnessRule(resampling=Resampling(repeats=100))


class Snapshot:
    "Frames that are read like a snapshot."

    def __init__(self, tables):
        self.tables = tables

    def connect(self, threads=0):
        return connect_frames(self.tables)


def make_people(random):
    "Half of the students are female; a quarter of all drift away, whoever they are; eight go to a school of their own."
    number = np.arange(1, STUDENTS + 1)
    ids = [f"00000000-0000-0000-0000-{each:012d}" for each in number]
    people = pd.DataFrame(
        {"student_no": number, "student_id": ids, "sex": random.choice(["female", "male"], STUDENTS)}
    )
    people["leaves"] = random.random(STUDENTS) < 0.25
    people["last"] = np.where(people["leaves"], random.integers(45, len(DAYS) - 1, STUDENTS), len(DAYS))
    people["school_no"] = np.where(number > STUDENTS - 8, 2, 1)
    people["habit"] = random.beta(2, 20, STUDENTS)
    return people


def make_tables(random, people):
    "What the offices write down: absences and grades of everybody, and who is gone."
    day = np.arange(len(DAYS))
    fading = people["leaves"].to_numpy()[:, None] & (day >= people["last"].to_numpy()[:, None] - 30)
    chance = np.where(fading, 0.35, people["habit"].to_numpy()[:, None])
    student, when = np.nonzero(
        (random.random(chance.shape) < chance) & (day < people["last"].to_numpy()[:, None])
    )
    common = {"recorded_at": DAYS[when], "superseded_at": pd.NaT}
    absences = pd.DataFrame(
        {"student_no": student + 1, "date": DAYS[when], "period": pd.NA, "status": "absent", **common}
    )
    student, when = np.nonzero((day[None] % 10 == 4) & (day < people["last"].to_numpy()[:, None]))
    marks = random.normal(78, 8, len(student)) - 12 * fading[student, when]
    grades = pd.DataFrame({
        "student_no": student + 1, "course_id": "course", "assignment": [f"work {each}" for each in when],
        "grade_value": marks.clip(0, 100), "submission_date": DAYS[when], "due_date": DAYS[when], "weight": 1.0,
        "assignment_type": "test", "recorded_at": DAYS[when], "superseded_at": pd.NaT,
    })  # fmt: skip
    gone = DAYS[people["last"].clip(upper=len(DAYS) - 1)]
    stays = pd.DataFrame({
        "student_no": people["student_no"], "school_no": people["school_no"], "school_year": 2023, "grade_level": 9,
        "entry_date": FIRST, "exit_date": gone, "exit_reason": "dropout", "recorded_at": pd.Timestamp(FIRST),
        "exit_recorded_at": gone, "superseded_at": pd.NaT,
    })  # fmt: skip
    stays.loc[~people["leaves"], ["exit_date", "exit_reason", "exit_recorded_at"]] = [pd.NaT, None, pd.NaT]
    schools = pd.DataFrame({
        "school_no": [1, 2], "school_id": ["north", "annex"], "periods_per_day": pd.array([None, None], dtype="Int64"),
        "week_starts_on": 1, "submitted_through": LAST,
    })  # fmt: skip
    calendar = pd.DataFrame(
        {"date": DAYS, "school_year": 2023, "day_type": "instructional", "submitted_at": DAYS}
    )
    columns = "student_no incident_date severity_level incident_type resolution recorded_at superseded_at"
    first = people.iloc[[0]].assign(
        incident_date=FIRST, severity_level=1, incident_type="dress code", resolution="warning"
    )
    named = people[["student_no", "student_id"]].assign(
        district_id=people["student_id"], person=people["student_id"], grade_level=9, metadata="{}"
    )
    return {
        "students": named,
        "schools": schools,
        "calendar": pd.concat([calendar.assign(school_no=number) for number in (1, 2)], ignore_index=True),
        "enrollments": stays,
        "attendance": absences,
        "grades": grades,
        "incidents": first.assign(recorded_at=pd.Timestamp(FIRST), superseded_at=pd.NaT)[columns.split()],
    }


def degrade(random, tables, people, share):
    "Lose a share of the absences and grades of the girls, before anything is made of them."
    female = set(people.loc[people["sex"] == "female", "student_no"])
    lost = {
        name: tables[name]["student_no"].isin(female) & (random.random(len(tables[name])) < share)
        for name in ("attendance", "grades")
    }
    return tables | {name: tables[name][~rows].reset_index(drop=True) for name, rows in lost.items()}


def judged_rows(tables):
    "Each half of the students scored by a regression that learned from the other half, with the features of the product."
    features = frame_features(connect_frames(tables, threads=2))
    labels = build_labels(Snapshot(tables))
    half = features["student_id"].str[-1].astype(int) % 2
    parts = []
    for number in (0, 1):
        model = make_model(Configuration("logistic", horizon_days=HORIZON), str(LAST))
        model.fit(features[half != number], lambda day=None: labels)
        rows = features[half == number]
        parts.append(rows.assign(risk_score=model.predict(rows)))
    answers = labels[[*ROW_KEY, "last_attended", "days"]].assign(left=settled_within(labels, HORIZON))
    rows = pd.concat(parts).merge(answers, on=ROW_KEY)
    return rows.assign(model="logistic", late_catch=rows["last_attended"].notna() & (rows["days"] <= 0))


@pytest.fixture(scope="module")
def district():
    random = np.random.default_rng(11)
    people = make_people(random)
    return people, make_tables(random, people)


@pytest.fixture(scope="module")
def rows(district):
    "The judged rows of the district as it is."
    return judged_rows(district[1])


@pytest.fixture(scope="module")
def whole(district, rows):
    "Their audit."
    return audit(rows, district[0][["student_id", "sex"]], CAPACITY, RULE)


def of_sex(audited):
    "Verdicts by measure and group."
    table = audited.table[audited.table["attribute"] == "sex"]
    return table.set_index(["measure", "group"])["verdict"]


def test_a_group_whose_records_are_degraded_fails(district):
    people, tables = district
    planted = degrade(np.random.default_rng(1), tables, people, share=1 / 3)
    found = audit(judged_rows(planted), people[["student_id", "sex"]], CAPACITY, RULE)
    assert of_sex(found)["false_negative_rate", "female"] == FAIL
    refused = gate(found)
    assert not refused.passes and any("sex female is missed more often" in why for why in refused.reasons)


def test_where_nothing_is_planted_nothing_is_found(whole):
    assert not (of_sex(whole) == FAIL).any() and gate(whole).passes
    assert of_sex(whole)["precision", "female"] == of_sex(whole)["calibration", "female"] == PASS


def test_eight_students_are_no_evidence_and_have_no_figure(whole):
    schools = whole.table[whole.table["attribute"] == "school_id"]
    annex = schools[schools["group"] == "annex"]
    assert len(annex) == 5 and (annex["verdict"] == UNSURE).all()
    assert annex[list(FIGURES)].isna().all(axis=None) and whole.suppressed == {"school_id": ["annex"]}
    assert schools["students"].isna().all(), "that of north and the total would tell of the annex"
    assert "annex" not in str(gate(whole)) and not any(name in str(whole.plain()) for name in ("00000000-",))


def test_seven_students_cost_nobody_a_verdict(district, rows, whole):
    "Where seven are neither girls nor boys, both keep their verdicts and rates, and the gate its word."
    people = district[0][["student_id", "sex"]]
    seven = people["sex"].where(
        ~people["student_id"].isin(people["student_id"].iloc[100:800:100]), "nonbinary"
    )
    found = audit(rows, people.assign(sex=seven), CAPACITY, RULE)
    large = found.table[(found.table["attribute"] == "sex") & (found.table["group"] != "nonbinary")]
    assert (
        large[["value", "low", "high", "gap"]].notna().all(axis=None) and (large["low"] < large["high"]).all()
    )
    told = whole.table[whole.table["attribute"] == "sex"].set_index(["group", "measure"])
    near = large.set_index(["group", "measure"])
    assert ((near["value"] - told["value"]).abs() <= near["step"] / 2 + 0.01).all()
    assert (near["verdict"] == told["verdict"]).mean() >= 0.9 and gate(found).passes
    counted = large.drop_duplicates("group")
    assert counted["students"].isna().sum() == 1 and found.suppressed["sex"] == ["nonbinary"]
    assert counted["most_students"].sum() == len(set(rows["student_id"])), "up to what the two are together"


def test_the_order_of_the_rows_changes_nothing(district, rows, whole):
    mixed, people = rows.sample(frac=1, random_state=2), district[0][["student_id", "sex"]]
    again = audit(mixed, people.sample(frac=1, random_state=1), CAPACITY, RULE)
    pd.testing.assert_frame_equal(again.table, whole.table)
