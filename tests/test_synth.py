"""What no single notebook can say of the synthetic district: bytes, bands and a moderate size, over several seeds."""

import ast
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from edupulse.synth.district import synthesise
from edupulse.synth.marginals import calibration, compare, ranking_power, truth_and_outcome
from edupulse.synth.population import PopulationKnobs
from edupulse.synth.world import DistrictKnobs, build_world

ROOT = Path(__file__).resolve().parent.parent


def fingerprints(folder: Path) -> dict:
    "A hash for every file below `folder`."
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.fixture(scope="module")
def district(tmp_path_factory) -> Path:
    "Canonical CSVs of a district of moderate size."
    folder = tmp_path_factory.mktemp("district")
    synthesise(folder, students=1500, years=3, seed=11, progress=False)
    return folder


@pytest.fixture(scope="module")
def engine(district):
    "The CSVs as DuckDB views."
    with duckdb.connect() as connection:
        for file in district.glob("*.csv"):
            connection.read_csv(str(file)).create_view(file.stem)
        yield connection


def test_same_seed_same_bytes_whatever_the_threads(tmp_path):
    script = (
        "import sys, pathlib, pyarrow; from edupulse.synth.district import synthesise\n"
        "pyarrow.set_cpu_count(int(sys.argv[2]))\n"
        "synthesise(pathlib.Path(sys.argv[1]), students=120, years=2, seed=int(sys.argv[3]), progress=False)\n"
    )
    found = []
    for name, threads, seed in (("one", 1, 5), ("two", 2, 5), ("other", 1, 6)):
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": str(threads),
            "PYTHONHASHSEED": str(threads),
            "TZ": f"UTC-{threads}",
        }
        command = [sys.executable, "-c", script, str(tmp_path / name), str(threads), str(seed)]
        subprocess.run(command, check=True, env=environment, cwd=ROOT)
        found.append(fingerprints(tmp_path / name))
    assert found[0] == found[1]
    assert all(found[0][name] != found[2][name] for name in ("students.csv", "attendance.csv", "grades.csv"))


def test_nobody_has_more_students_than_a_counselor_can_and_each_student_has_one(engine):
    held = """(select day, username, district_id from (select distinct start_date as day from caseloads)
        join caseloads on start_date <= day and (end_date is null or end_date >= day))"""
    ((most,),) = engine.sql(
        f"select max(n) from (select count(*) as n from {held} group by day, username)"
    ).fetchall()
    ((own,),) = engine.sql(
        f"select avg(n) from (select count(*) as n from {held} group by day, district_id)"
    ).fetchall()
    ((strangers,),) = engine.sql("select count(*) from caseloads anti join staff using (username)").fetchall()
    assert 200 < most <= 380 and 1 <= own < 1.01 and strangers == 0


def test_marginals_lie_in_their_bands(district):
    table = compare(district)
    assert table["believable"].all(), table.loc[~table["believable"], ["measured", "low", "high"]].to_string()


def test_true_risk_is_calibrated_and_not_perfect():
    both = pd.concat(
        truth_and_outcome(
            build_world(DistrictKnobs(population=PopulationKnobs(students=4000, years=3)), seed)
        )
        for seed in (21, 22)
    )
    table = calibration(both)
    assert both["p_60"].mean() == pytest.approx(both["event"].mean(), rel=0.12)
    assert np.allclose(table["foretold"].iloc[-4:], table["happened"].iloc[-4:], rtol=0.3, atol=0.01)
    assert 0.84 < ranking_power(both) < 0.94


def test_truth_is_apart_and_no_import_names_it(district):
    outside = {file.stem for file in district.iterdir() if file.is_file()}
    records = {"students", "schools", "calendar", "enrollments", "attendance", "grades", "discipline"}
    assert outside == records | {"staff", "caseloads"}
    truth = pd.read_parquet(district / "truth" / "hazard.parquet")
    assert not truth.duplicated(["district_id", "as_of"]).any() and truth["p_60"].between(0, 1).all()
    for column in ("p_60", "hazard", "baseline", "engagement", "spiral"):
        for file in district.glob("*.csv"):
            assert column not in file.open(encoding="utf-8").readline()


def test_no_import_reads_the_generator():
    for module in (ROOT / "edupulse" / "ingest").glob("*.py"):
        tree = ast.parse(module.read_text(encoding="utf-8"))
        names = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        assert not any("synth" in name for name in names), module.name
        assert "truth/" not in module.read_text(encoding="utf-8"), module.name


def test_the_three_forms_of_attendance(engine):
    forms = engine.sql("""
        select school_id, bool_or(status = 'present') as lists_present, count(period) = count(*) as by_period
        from attendance join (select distinct district_id, school_id, school_year, entry_date,
            coalesce(exit_date, date '9999-01-01') as exit_date from enrollments where superseded_at is null) as stays
            on stays.district_id = attendance.district_id and date >= entry_date and date < exit_date
            and year(date) - cast(month(date) < 8 as integer) = school_year
        where attendance.superseded_at is null group by school_id
    """).df()
    found = set(zip(forms["lists_present"], forms["by_period"], strict=True))
    assert {(True, False), (False, False)} <= found and (False, True) in found


def test_records_obey_the_calendar_and_the_register(engine):
    stray = engine.sql("""
        select count(*) from attendance
        where not exists (
            select 1 from enrollments join calendar using (school_id, school_year) join schools using (school_id)
            where enrollments.district_id = attendance.district_id and calendar.date = attendance.date
                and calendar.day_type = 'instructional' and calendar.date >= entry_date
                and calendar.date < coalesce(exit_date, date '9999-01-01')
                and calendar.date <= schools.submitted_through
        )
    """).fetchall()[0][0]
    assert stray == 0
    twice = engine.sql("""
        select count(*) from (
            select 1 from attendance where superseded_at is null
            group by district_id, date, coalesce(period, -1) having count(*) > 1)
    """).fetchall()[0][0]
    assert twice == 0


def test_stays_of_a_student_do_not_overlap(engine):
    overlapping = engine.sql("""
        with stays as (
            select district_id, school_year, entry_date, exit_date, lead(entry_date) over (
                partition by district_id order by entry_date) as next_entry
            from enrollments where superseded_at is null)
        select count(*) from stays
        where coalesce(exit_date, make_date(school_year + 1, 6, 15)) > next_entry
    """).fetchall()[0][0]
    assert overlapping == 0


def test_untidiness_is_there(engine):
    shares = (
        engine.sql("""
        select
            (select avg(cast(superseded_at is not null as integer)) from attendance) as mended,
            (select avg(cast(recorded_at is not null as integer)) from attendance) as late,
            (select avg(cast(grade_value is null as integer)) from grades) as missing,
            (select count(*) from calendar where submitted_at is not null) as late_days,
            (select count(distinct submitted_through) from schools) as ends,
            (select count(*) from enrollments where superseded_at is not null) as wrong_at_first,
            (select count(*) from students where not regexp_matches(first_name || last_name, '^[ -~]*$')) as accents
    """)
        .df()
        .iloc[0]
    )
    assert (
        0.003 < shares["mended"] < 0.02 and 0.01 < shares["late"] < 0.06 and 0.02 < shares["missing"] < 0.12
    )
    assert (
        shares["late_days"] > 0
        and shares["ends"] == 2
        and shares["wrong_at_first"] > 0
        and shares["accents"] > 0
    )


def test_exits_are_of_every_kind_and_paperwork_lags(engine):
    reasons = engine.sql("select distinct exit_reason from enrollments where exit_reason is not null").df()
    assert set(reasons["exit_reason"]) >= {
        "dropout", "transfer_verified", "transfer_unverified", "graduated", "other_completer", "unknown",
    }  # fmt: skip
    early = engine.sql("select count(*) from enrollments where exit_recorded_at < exit_date").fetchall()[0][0]
    autumn = engine.sql("""
        select count(*) from enrollments where exit_reason = 'dropout' and exit_recorded_at > exit_date + 40
    """).fetchall()[0][0]
    again = engine.sql("""
        select count(*) from enrollments as first join enrollments as second using (district_id)
        where first.exit_reason = 'dropout' and second.entry_date > first.exit_date
    """).fetchall()[0][0]
    assert early == 0 and autumn > 0 and again > 0


def test_protected_groups_differ_in_outcomes(engine):
    rates = (
        engine.sql("""
        select socioeconomic_status, avg(cast(exit_reason in ('dropout', 'transfer_unverified') as integer)) as leaving
        from (select district_id, coalesce(exit_reason, '') as exit_reason from enrollments
            where superseded_at is null) join students using (district_id) group by all
    """)
        .df()
        .set_index("socioeconomic_status")["leaving"]
    )
    assert rates["free meals"] > 1.2 * rates["full price"]


def test_a_district_too_small_is_refused(tmp_path):
    with pytest.raises(ValueError, match="50 or more students"):
        synthesise(tmp_path, students=10, years=2, progress=False)
