"""A year that has changed is told, and one that has not is left alone: whole districts, from records to the reading.

On synthetic districts of 500 students over four years, of which the last is watched every week, at most 1 in 50 weeks of a
year in which nothing was planted may carry a line (`make soak` counts them over 20 seeds)."""

import duckdb
import numpy as np
import pytest

from edupulse.evaluation.drift import drift_table, lasting, told_modalities
from edupulse.scoring.examples import invent_district
from edupulse.sequences import build_sequences
from edupulse.training.examples import ExamplePlan
from edupulse.training.reference import reference_of

FALSE_LINES = 1 / 50  # of the weeks of a year in which nothing changed


def year_beside_others(features, year):
    "The drift table of a school year, beside all before it."
    sequences = build_sequences(features)
    years = sequences.keys["school_year"].to_numpy()[:, None]
    learned = reference_of(sequences, sequences.valid & (years < year))
    return drift_table(learned, reference_of(sequences, sequences.valid & (years == year), like=learned))


def lines_by_week(table, every=1):
    "Week → modalities that a counselor would have been told of."
    weeks = sorted(table["week"].unique())[::-every]
    known = {week: table[table["week"] <= week] for week in weeks}
    return {week: told_modalities(lasting(rows), rows) for week, rows in known.items()}


def test_an_invented_year_is_told_when_it_changes_and_only_then():
    features = invent_district(ExamplePlan(students=250, years=3)).features
    assert not any(lines_by_week(year_beside_others(features, 2023), every=6).values())
    late = (features["school_year"] == 2023) & (features["week"] >= 25)
    half = late & (features["person"].astype(int) % 2 == 0)
    attendance = [name for name in build_sequences(features.head(40)).columns["attendance"]]
    grades = [name for name in features if name.startswith("grade_m")]
    lost = features.assign(**{name: features[name].mask(half, np.nan) for name in attendance})
    scale = features.assign(**{name: features[name].mask(late, features[name] / 5) for name in grades})
    for changed, modality in ((lost, "attendance"), (scale, "grades")):
        table = year_beside_others(changed, 2023)
        words = table[table["modality"] == modality]
        told = words[words[["reading", "missing_reading"]].eq("unlike").any(axis=1)]
        assert 25 <= told["week"].min() <= 27, modality
        others = table[table["modality"] != modality]
        assert not others[["reading", "missing_reading"]].eq("unlike").any(axis=None), modality
    assert set(lines_by_week(year_beside_others(lost, 2023), every=6)[30]) == {"attendance"}


def district(folder, seed, plant=None):
    "The weekly features of a synthetic district, from its records on; `plant` changes them before they are read."
    from edupulse.features.weekly import build_features
    from edupulse.ingest.load import ingest_folder
    from edupulse.store.engine import connect
    from edupulse.store.migrate import migrate
    from edupulse.store.snapshot import refresh
    from edupulse.synth.district import synthesise

    synthesise(folder / "records", students=500, years=4, seed=seed, progress=False)
    if plant:
        with duckdb.connect() as connection:
            plant(connection, folder / "records")
    engine = connect(f"sqlite:///{folder / 'store.db'}")
    migrate(engine)
    ingest_folder(folder / "records", engine)

    snapshot = refresh(engine, folder / "snapshot", progress=False)
    return build_features(snapshot, folder / "features").read()


def rewrite(connection, file, columns, keep="true"):
    "Write a CSV again with other columns and fewer rows."
    changed = file.with_suffix(".changed")
    source = f"read_csv('{file}', all_varchar = true)"
    connection.sql(f"copy (select {columns} from {source} where {keep}) to '{changed}' (header)")
    changed.replace(file)


def half_the_feed(connection, records):
    "From March on, half of the absences do not arrive."
    kept = "date < '2026-03-02' or hash(district_id, date, period) % 2 = 0"
    rewrite(connection, records / "attendance.csv", "*", kept)


def other_scale(connection, records):
    "From March on, grades are given out of twenty."
    value = "case when submission_date >= '2026-03-02' then round(grade_value::double / 5, 1)::text else grade_value end"
    rewrite(connection, records / "grades.csv", f"* replace ({value} as grade_value)")


@pytest.mark.soak
def test_years_in_which_nothing_changed_carry_no_line(tmp_path):
    weeks = lines = 0
    for seed in range(20):
        found = lines_by_week(year_beside_others(district(tmp_path / str(seed), seed), 2025))
        weeks, lines = weeks + len(found), lines + sum(map(bool, found.values()))
        print(seed, {week: told for week, told in found.items() if told})
    print(f"{lines} of {weeks} weeks of 20 districts")
    assert lines <= FALSE_LINES * weeks


@pytest.mark.soak
@pytest.mark.parametrize(("plant", "modality"), [(half_the_feed, "attendance"), (other_scale, "grades")])
def test_records_that_change_are_told_within_eight_weeks(tmp_path, plant, modality):
    found = lines_by_week(year_beside_others(district(tmp_path, 1, plant), 2025))
    weeks = sorted(int(week) for week, told in found.items() if modality in told)
    print(modality, weeks)
    assert 27 <= weeks[0] <= 34  # the week of 2 March is the 26th or 27th
    assert all(modality in found[week] for week in range(weeks[0], max(found) + 1))
