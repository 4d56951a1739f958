"""OULAD with faults in it: what is wrong is set aside with file, line, column and reason, and the rest is imported.

The invented sample is always tested; two presentations of the published files where those are at hand (`test_oulad`).
"""

import csv
import io
import shutil
import warnings
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_oulad import PUBLISHED, SAMPLE, frame

from edupulse.faces.import_tables import file_table, import_table
from edupulse.ingest.oulad import ingest_oulad
from edupulse.store.engine import connect

FILES = ("courses", "assessments", "studentInfo", "studentRegistration", "studentAssessment")
RECORDS = ("schools", "school_calendar", "students", "enrollments", "attendance_records", "grades")
REJECTS = "select file, row_number, column_name, reason, value from import_rejects order by file, row_number"


@pytest.fixture
def new_store(migrated_sqlite, tmp_path):
    """A function that gives an empty store."""
    engines = []

    def make():
        file = tmp_path / f"store{len(engines)}.db"
        shutil.copy(migrated_sqlite, file)
        engines.append(connect(f"sqlite:///{file}"))
        return engines[-1]

    yield make
    for engine in engines:
        engine.dispose()


def content(engine) -> dict[str, Counter]:
    """Every record of a store, ids and moments included, but for the moment it was written."""
    tables = {}
    for table in RECORDS:
        rows = frame(engine, f"select * from {table}")
        kept = rows.drop(columns=["created_at", "updated_at"], errors="ignore").astype(str)
        tables[table] = Counter(kept.itertuples(index=False, name=None))
    return tables


@pytest.fixture(scope="module")
def whole(migrated_sqlite, tmp_path_factory) -> dict[str, Counter]:
    """What the sample becomes without a fault."""
    file = tmp_path_factory.mktemp("clean") / "store.db"
    shutil.copy(migrated_sqlite, file)
    engine = connect(f"sqlite:///{file}")
    assert not ingest_oulad(SAMPLE, engine).total("quarantined")
    yield content(engine)
    engine.dispose()


def spoiled(folder: Path, name: str, old: str, new: str) -> None:
    """Put one fault into a copy of the sample."""
    shutil.copytree(SAMPLE, folder)
    text = (folder / f"{name}.csv").read_text()
    assert text.count(old) == 1, f"{old} stands {text.count(old)} times in {name}.csv"
    (folder / f"{name}.csv").write_text(text.replace(old, new))


# ---- rows that cannot be believed ------------------------------------------------------------------------------------

DAY, SCORE, WHO = "date_submitted", "score", "id_student"
FAULTS = {  # file → rows, each with the column, the reason and the value that are kept of it
    "courses": [
        ("ZZZ,2014J,fifty", "module_presentation_length", "invalid_number", "fifty"),
        ("ZZZ,2014J,0", "module_presentation_length", "impossible_number", "0"),
        ("ZZZ,2015J,500", "module_presentation_length", "impossible_number", "500"),
        ("ZZZ,2098J,50", "code_presentation", "in_the_future", "2098J"),
        ("Z\u200bZ,2013J,50", "code_module", "invalid_character", "Z\u200bZ"),
        ("ZZZ,2014F,50", "code_presentation", "invalid_presentation", "2014F"),
        (",2014J,50", "code_module", "missing_value", None),
        ("ZZZ,2014B,51", "code_module+code_presentation", "conflicting_duplicate", None),
        ("ZZZ,2014J", None, "broken_row", None),
    ],
    "assessments": [
        ("ZZZ,2013J,15,TMA,40,heavy", "weight", "invalid_number", "heavy"),
        ("ZZZ,2013J,15,TMA,40,140", "weight", "impossible_number", "140"),
        ("ZZZ,2013J,15,TMA,later,60", "date", "invalid_number", "later"),
        ("ZZZ,2013J,15,TMA,4000,60", "date", "outside_calendar", "4000"),
        ("YYY,2013J,15,TMA,40,60", "code_module", "unknown_module", "YYY"),
        ("ZZZ,2013J,?,TMA,40,60", "id_assessment", "missing_value", None),
        ("ZZZ,2013J,12,TMA,41,60", "id_assessment", "conflicting_duplicate", "12"),
    ],
    "studentInfo": [
        ("ZZZ,2013J,1020,M,,,,,0,60,N,Gone", "final_result", "unknown_result", "Gone"),
        ("ZZZ,2013J,1020,M,,,,,0,60,N,", "final_result", "missing_value", None),
        ("ZZZ,2013J,SECRET,M,,,,,0,60,N,Pass", WHO, "invalid_number", "SECRET"),
        ("ZZZ,2019J,1020,M,,,,,0,60,N,Pass", "code_presentation", "unknown_presentation", "2019J"),
        ("YYY,2019J,1020,M,,,,,0,60,N,Pass", "code_module", "unknown_module", "YYY"),
        (
            "ZZZ,2013J,1001,M,,,,,0,60,N,Fail",
            f"code_module+code_presentation+{WHO}",
            "conflicting_duplicate",
            None,
        ),
    ],
    "studentRegistration": [
        ("ZZZ,2013J,7777,-20,", WHO, "unregistered_student", "7777"),
        ("ZZZ,2014B,1001,-20,", WHO, "unregistered_student", "1001"),
        ("YYY,2013J,1002,-20,", "code_module", "unknown_module", "YYY"),
        ("ZZZ,2013J,1002,soon,", "date_registration", "invalid_number", "soon"),
        ("ZZZ,2013J,1002,-20,2.5", "date_unregistration", "invalid_number", "2.5"),
        ("ZZZ,2013J,1002,-20,460", "date_unregistration", "outside_school_year", "460"),
        ("ZZZ,2013J,1002,20,10", "date_unregistration", "exit_before_entry", "10"),
        ("ZZZ,2013J,1002,70,", "date_registration", "outside_calendar", "70"),
        ("ZZZ,2013J,1002,-20,10", f"code_module+code_presentation+{WHO}", "conflicting_duplicate", None),
    ],
    "studentAssessment": [
        ("11,1001,18,0,abc", SCORE, "invalid_number", "abc"),
        ("11,1001,18,0,140", SCORE, "impossible_grade", "140"),
        ("11,1001,18,0,-5", SCORE, "impossible_grade", "-5"),
        ("11,1001,18,0,nan", SCORE, "invalid_number", "nan"),
        ("11,1001,soon,0,78", DAY, "invalid_number", "soon"),
        ("11,1001,?,0,78", DAY, "missing_value", None),
        ("11,1001,999999999,0,78", DAY, "outside_calendar", "999999999"),
        ("11,,18,0,78", WHO, "missing_value", None),
        (",1001,18,0,78", "id_assessment", "missing_value", None),
        ("99,1001,18,0,78", "id_assessment", "unknown_assessment", "99"),
        ("11,SECRET,18,0,78", WHO, "invalid_number", "SECRET"),
        ("11,7777,18,0,78", WHO, "unregistered_student", "7777"),
        ("11,1008,18,0,78", WHO, "unregistered_student", "1008"),  # of another presentation
        ("11,1001,18,7,78", "is_banked", "impossible_number", "7"),
        ("11,1001,18,0,79", f"id_assessment+{WHO}", "conflicting_duplicate", None),
        ("11,1001,18", None, "broken_row", None),
        ("11,1001,18,0,7,8", None, "broken_row", None),
    ],
}


def test_each_row_that_cannot_be_believed_is_set_aside_with_its_line_and_costs_nothing_else(
    whole, store, tmp_path
):
    shutil.copytree(SAMPLE, tmp_path / "oulad")
    expected = []
    for name, faults in FAULTS.items():
        with (tmp_path / "oulad" / f"{name}.csv").open("a+") as file:
            file.seek(0)
            line = len(file.readlines())
            for number, (row, *kept) in enumerate(faults, line + 1):
                file.write(f"{row}\n")
                expected.append((f"{name}.csv", number, *kept))
    result = ingest_oulad(tmp_path / "oulad", store)
    rejects = [
        tuple(row) for row in frame(store, REJECTS).astype(object).where(lambda x: x.notna(), None).values
    ]
    assert sorted(rejects, key=str) == sorted(expected, key=str)
    assert result.exit_code == 0 and "SECRET" not in result.summary() + result.json()
    assert result.total("accepted") == 46 and result.total("quarantined") == len(expected)
    for file in result.files:
        kinds = Counter(
            f"{column or ''}:{reason}" for name, _, column, reason, _ in expected if name == file.file
        )
        assert file.rows_read == file.accepted + file.quarantined and file.reasons == kinds
    assert all(
        f"first at line {line}" in result.summary()
        for _, line, _, reason, _ in expected
        if reason in ("unknown_result", "unknown_module")
    )
    if store.dialect.name == "sqlite":
        assert content(store) == whole
    again = ingest_oulad(tmp_path / "oulad", store)
    assert again.changed == 0 and again.lines()[-1].startswith("nothing new, the store is unchanged: ")
    assert again.total("quarantined") == len(expected)


def test_a_value_that_is_only_told_beside_costs_nobody_the_row(store, tmp_path):
    told = "M,Nowhere,A Level,30-40%,0-35,0,60,N,Pass"  # of 1001; the first two in columns that are not read
    spoiled(
        tmp_path / "oulad", "studentInfo", f"1001,{told}", f"1001,{'m' * 11},x,x,{'9' * 41},x,-1,many,?,Pass"
    )
    result = ingest_oulad(tmp_path / "oulad", store)
    values = [
        ("gender", "too_long_left_out", "m" * 11),
        ("imd_band", "too_long_left_out", "9" * 41),
        ("num_of_prev_attempts", "impossible_number_left_out", "-1"),
        ("studied_credits", "invalid_number_left_out", "many"),
    ]
    rejects = frame(store, REJECTS)
    assert sorted(map(tuple, rejects.values)) == [("studentInfo.csv", 2, *value) for value in values]
    assert (result.total("accepted"), result.total("quarantined")) == (46, 0)
    assert result.files[2].left_out == {f"{column}:{reason}": 1 for column, reason, _ in values}
    assert sum("left out, its row is kept, first at line 2" in line for line in result.lines()) == 4
    kept = frame(
        store, "select gender, socioeconomic_status, student_metadata from students order by district_id"
    )
    assert kept.iloc[0, :2].isna().all() and "null" in str(kept.student_metadata[0]).lower().replace(
        "none", "null"
    )
    assert len(kept) == 11 and len(frame(store, "select 1 from enrollments")) == 9
    assert ingest_oulad(SAMPLE, store).changed == 1


# ---- what hangs on them ----------------------------------------------------------------------------------------------

HAND_IN = "11,1001,18,0,78"
MENDED = {  # fault → its place; what hangs on it; tables in which a record is corrected once it is mended
    "score": ("studentAssessment", HAND_IN, "11,1001,18,0,abc", 1, set()),
    "stay": ("studentRegistration", "ZZZ,2013J,1002,-20,", "ZZZ,2013J,1002,-20,soon", 1, set()),
    "result": ("studentInfo", "60,N,Distinction", "60,N,Gone", 1 + 4, set()),
    "presentation": ("courses", "ZZZ,2014B,50", "ZZZ,2014B,fifty", 1 + 4 + 4 + 2 + 3, set()),
    # a day on which something else was due too is judged by that alone
    "assessment": ("assessments", "12,TMA,40,60", "12,TMA,40,heavy", 1 + 4, {"attendance_records"}),
}


@pytest.mark.parametrize("what", MENDED)
def test_what_was_set_aside_is_never_made_up_and_comes_when_it_is_mended(what, whole, new_store, tmp_path):
    "Every record of the faulty import is one of the clean import's; the mended folder brings the others."
    name, old, new, quarantined, corrected = MENDED[what]
    spoiled(tmp_path / "oulad", name, old, new)
    engine = new_store()
    result = ingest_oulad(tmp_path / "oulad", engine)
    assert result.exit_code == 0 and result.total("quarantined") == quarantined
    part = content(engine)
    assert {table for table in RECORDS if part[table] - whole[table]} <= corrected
    assert sum(map(Counter.total, part.values())) < sum(map(Counter.total, whole.values()))
    ingest_oulad(SAMPLE, engine)
    now = content(engine)
    assert {table for table in RECORDS if now[table] != whole[table]} <= corrected


def test_the_same_row_twice_is_told_and_counted_once(whole, new_store, tmp_path):
    spoiled(tmp_path / "oulad", "studentAssessment", HAND_IN, f"{HAND_IN}\n{HAND_IN}")
    twice = new_store()
    result = ingest_oulad(tmp_path / "oulad", twice)
    (told,) = (file for file in result.files if file.file == "studentAssessment.csv")
    assert (told.rows_read, told.duplicates, told.quarantined) == (17, 1, 0)
    assert "1 repeated" in result.summary() and content(twice) == whole


def test_the_counts_are_the_same_wherever_they_are_shown(store, tmp_path):
    spoiled(tmp_path / "oulad", "studentAssessment", HAND_IN, "11,1001,18,0,140")
    result = ingest_oulad(tmp_path / "oulad", store)
    record = frame(store, "select rows_read, rows_accepted, rows_quarantined from historical_data_imports")
    assert tuple(record.iloc[0]) == (46, 45, 1)
    assert len(frame(store, REJECTS)) == 1
    shown = str(import_table(store)) + str(file_table(store))
    for count in (46, 45, 1, sum(each.rows_read for each in result.made)):
        assert f">{count}</td>" in shown
    assert "12 used as a grade" in shown and "made of them: attendance" in shown and "1 quarantined" in shown


# ---- what cannot be used ---------------------------------------------------------------------------------------------


def refused(folder: Path, engine, dry_run: bool = True) -> str:
    """The one line with which an import is refused; nothing is in the store but that line."""
    result = ingest_oulad(folder, engine, dry_run)
    assert result.exit_code == 1 and not any(content(engine).values())
    record = frame(engine, "select state, error from historical_data_imports")
    assert [tuple(row) for row in record.values] == ([] if dry_run else [("failed", result.error)])
    assert "\n" not in result.lines()[-1]
    return result.lines()[-1]


@pytest.mark.parametrize("name", FILES)
def test_a_required_file_that_is_missing_or_lacks_a_column_is_one_line(name, new_store, tmp_path):
    engine, folder = new_store(), tmp_path / "oulad"
    shutil.copytree(SAMPLE, folder)
    header, _, rows = (folder / f"{name}.csv").read_text().partition("\n")
    (folder / f"{name}.csv").unlink()
    assert f"{name}.csv is not there; an import needs it" in refused(folder, engine)
    (folder / f"{name}.csv").write_text("")
    assert f"{name}.csv is empty" in refused(folder, engine)
    (folder / f"{name}.csv").write_text(f"{header.replace('code_module', 'm').replace('id_', 'x_')}\n{rows}")
    said = refused(folder, engine, dry_run=name != "studentInfo")
    assert f"{name}.csv has no column" in said and "rename it" in said and "--mapping" not in said


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252"])
def test_a_required_file_in_another_encoding_is_one_line(encoding, new_store, tmp_path):
    shutil.copytree(SAMPLE, tmp_path / "oulad")
    text = (SAMPLE / "studentInfo.csv").read_text().replace(",F,", ",É,")  # a column that is read
    (tmp_path / "oulad" / "studentInfo.csv").write_bytes(text.encode(encoding))
    said = refused(tmp_path / "oulad", new_store())
    assert "studentInfo.csv is" in said and encoding in said.lower() and "--mapping" not in said


def test_one_letter_that_is_not_utf_8_costs_its_row(new_store, tmp_path):
    shutil.copytree(SAMPLE, tmp_path / "oulad")
    lines = (SAMPLE / "studentInfo.csv").read_text().replace(",M,", ",é,").splitlines(keepends=True)
    encoded = [line.encode("cp1252" if "1007" in line else "utf-8") for line in lines]
    (tmp_path / "oulad" / "studentInfo.csv").write_bytes(b"".join(encoded))
    engine = new_store()
    assert ingest_oulad(tmp_path / "oulad", engine).exit_code == 0
    rejects = frame(engine, REJECTS)[["file", "row_number", "reason"]]
    assert ("studentInfo.csv", 8, "wrong_encoding") in [tuple(row) for row in rejects.values]


def test_an_import_of_which_nothing_can_be_accepted_fails_and_keeps_the_reasons(new_store, tmp_path):
    shutil.copytree(SAMPLE, tmp_path / "oulad")
    for name in FILES:
        header, *rows = (SAMPLE / f"{name}.csv").read_text().splitlines()
        (tmp_path / "oulad" / f"{name}.csv").write_text(
            "\n".join([header, *(f",{row}"[: len(row)] for row in rows)])
        )
    engine = new_store()
    assert "not one row could be accepted" in refused(tmp_path / "oulad", engine, dry_run=False)
    assert len(frame(engine, REJECTS)) == 46


# ---- anything in any cell --------------------------------------------------------------------------------------------

nasty = st.sampled_from(
    [
        "",
        "?",
        "-1",
        "0",
        "1",
        "3",
        "40",
        "366",
        "-400",
        "999999999",
        "1e300",
        "nan",
        "1001",
        "1009",
        "11",
        "ZZZ",
    ]
    + [
        "2013J",
        "2014B",
        "2099J",
        "2000B",
        "Pass",
        "Withdrawn",
        "M",
        "x" * 60,
        "'",
        '"',
        "\n",
        " ",
        "1.0",
        "+1",
    ]
)
texts = st.text(
    st.characters(codec="utf-8", exclude_characters="\0\r", exclude_categories=("Cs",)), max_size=8
)
places = st.tuples(st.sampled_from(FILES), st.integers(0, 200), st.integers(0, 20), nasty | texts)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(places, min_size=1, max_size=6))
def test_whatever_stands_in_a_cell_no_row_is_lost_and_none_spoils_what_is_made(
    tmp_path_factory, migrated_sqlite, changes
):
    folder = tmp_path_factory.mktemp("any")
    tables = {name: list(csv.reader((SAMPLE / f"{name}.csv").read_text().splitlines())) for name in FILES}
    for name, row, column, value in changes:
        rows = tables[name][1:]
        cells = rows[row % len(rows)]
        cells[column % len(cells)] = value
    for name, rows in tables.items():
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(rows)
        (folder / f"{name}.csv").write_text(text.getvalue(), encoding="utf-8", newline="")
    engine = connect(f"sqlite:///{migrated_sqlite}")
    result = ingest_oulad(folder, engine, dry_run=True)  # `FileResult` refuses counts that do not close
    engine.dispose()
    shutil.rmtree(folder)
    assert [file.rows_read for file in result.files] == [len(tables[name]) - 1 for name in FILES]
    assert not any(each.quarantined or each.duplicates for each in result.made)


# ---- two presentations of the published files ------------------------------------------------------------------------


@pytest.fixture
def published(tmp_path) -> dict[str, list[list[str]]]:
    """Two presentations of the published files, as rows; the first row of each is the header."""
    if not (PUBLISHED / "studentInfo.csv.gz").exists() and not (PUBLISHED / "studentInfo.csv").exists():
        message = "NOT TESTED ON THE PUBLISHED OULAD FILES: name their folder in EDUPULSE_OULAD"
        warnings.warn(message, stacklevel=1)
        pytest.skip(message)
    tables = {}
    for name in FILES:
        path = next(path for path in PUBLISHED.glob(f"{name}.csv*") if path.suffix in (".csv", ".gz"))
        tables[name] = pd.read_csv(path, dtype=str, keep_default_na=False)
    ours = {("AAA", "2013J"), ("EEE", "2014B")}
    for name, table in tables.items():
        if "code_module" in table:
            keys = pd.MultiIndex.from_frame(table[["code_module", "code_presentation"]])
            tables[name] = table[keys.isin(ours)]
    results = tables["studentAssessment"]
    tables["studentAssessment"] = results[results.id_assessment.isin(tables["assessments"].id_assessment)]
    return {name: [list(table), *table.values.tolist()] for name, table in tables.items()}


def written(folder: Path, tables: dict[str, list[list[str]]]) -> Path:
    folder.mkdir()
    for name, rows in tables.items():
        (folder / f"{name}.csv").write_text("".join(",".join(row) + "\n" for row in rows))
    return folder


def test_faults_in_the_published_files_are_found_where_they_are_and_nowhere_else(
    published, new_store, tmp_path
):
    clean = written(tmp_path / "clean", published)
    rows = {name: [list(row) for row in table] for name, table in published.items()}
    hand_ins, stays, people = (
        rows[name] for name in ("studentAssessment", "studentRegistration", "studentInfo")
    )
    at = {name: table[0].index for name, table in rows.items()}
    expected = set()

    def plant(name: str, line: int, column: str, value: str, reason: str) -> None:
        rows[name][line - 1][at[name](column)] = value
        expected.add((f"{name}.csv", line, column, reason))

    for line, value in ((100, "abc"), (200, "140"), (300, "-5"), (400, "nan"), (500, "7,8")):
        if "," not in value:
            reason = "impossible_grade" if value in ("140", "-5") else "invalid_number"
            plant("studentAssessment", line, "score", value, reason)
        else:  # a decimal comma is a field too many
            hand_ins[line - 1][-1] = value
            expected.add(("studentAssessment.csv", line, None, "broken_row"))
    plant("studentAssessment", 600, "date_submitted", "next week", "invalid_number")
    plant("studentAssessment", 700, "id_student", "", "missing_value")
    plant("studentAssessment", 800, "id_assessment", "424242", "unknown_assessment")
    plant("studentRegistration", 50, "date_unregistration", "gone", "invalid_number")
    plant("studentRegistration", 60, "id_student", "424242", "unregistered_student")
    hand_ins.append([*hand_ins[900][:-1], "1"])
    expected.add(
        ("studentAssessment.csv", len(hand_ins), "id_assessment+id_student", "conflicting_duplicate")
    )
    hand_ins.append(list(hand_ins[901]))
    lost = people[20][at["studentInfo"]("id_student")]
    module = people[20][at["studentInfo"]("code_module")]
    plant("studentInfo", 21, "final_result", "", "missing_value")
    theirs = {row[at["assessments"]("id_assessment")] for row in rows["assessments"] if row[0] == module}
    for line, row in enumerate(hand_ins, 1):
        if row[1] == lost and row[0] in theirs:
            expected.add(("studentAssessment.csv", line, "id_student", "unregistered_student"))
    for line, row in enumerate(stays, 1):
        if row[2] == lost and row[0] == module:
            expected.add(("studentRegistration.csv", line, "id_student", "unregistered_student"))

    whole, engine = new_store(), new_store()
    assert not ingest_oulad(clean, whole).total("quarantined")
    result = ingest_oulad(written(tmp_path / "faulty", rows), engine)
    rejects = frame(engine, REJECTS).astype(object).where(lambda x: x.notna(), None)
    assert {tuple(row) for row in rejects.drop(columns="value").values} == expected
    assert len(rejects) == len(expected) == result.total("quarantined") and result.exit_code == 0
    assert result.total("rows_read") == sum(len(table) - 1 for table in rows.values())
    assert result.total("duplicates") == 1 and "kept" not in result.summary()

    # nobody but the students concerned is told differently from how the clean files tell it
    touched = {hand_ins[line - 1][1] for line in (100, 200, 300, 400, 500, 600)} | {lost}
    touched |= {published[name][line - 1][at[name]("id_student")] for name, line in (
        ("studentAssessment", 700), ("studentAssessment", 800), ("studentRegistration", 50), ("studentRegistration", 60),
    )}  # fmt: skip
    for table in ("enrollments", "attendance_records", "grades"):
        question = f"select district_id, {table}.* from {table} join students on students.id = student_id"
        clean_rows, faulty_rows = (
            frame(each, question).drop(columns=["created_at"]).astype(str) for each in (whole, engine)
        )
        others = [
            each[~each.district_id.str.partition("-")[0].isin(touched)] for each in (clean_rows, faulty_rows)
        ]
        assert len(others[0]) > 1000 or table == "enrollments"
        assert Counter(others[0].itertuples(index=False)) == Counter(others[1].itertuples(index=False))
    # and once mended, what is current is what the clean files say
    assert ingest_oulad(clean, engine).changed
    for table in RECORDS:
        where = (
            " where superseded_at is null" if table in ("enrollments", "attendance_records", "grades") else ""
        )
        moments = ["created_at", "updated_at", "recorded_at"]
        now = [
            Counter(
                frame(each, f"select * from {table}{where}")
                .drop(columns=moments, errors="ignore")
                .astype(str)
                .itertuples(index=False, name=None)
            )
            for each in (whole, engine)
        ]
        assert now[0] == now[1], table
