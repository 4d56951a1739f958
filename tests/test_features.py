"""The SQL against the oracle, cell by cell, on random districts."""

import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest
from random_district import make_district

from edupulse.features.catalog import CATALOG, CONTEXT, FEATURE_SETS, RELATIONS
from edupulse.features.oracle import connect_frames, oracle_features
from edupulse.features.quality import check_features
from edupulse.features.stored import read_features
from edupulse.features.weekly import build_features, frame_features
from edupulse.resources import resource

COLUMNS = [*CATALOG, *CONTEXT, "has_attendance", "has_grades", "has_discipline"]


@pytest.mark.parametrize("seed", [1, 2, pytest.param(3, marks=pytest.mark.soak)])
def test_sql_equals_the_oracle(seed):
    tables = make_district(seed, students=10)
    fast = frame_features(connect_frames(tables)).sort_values(["student_id", "week"], ignore_index=True)
    slow = oracle_features(tables, 2023)
    assert fast[["student_id", "week"]].astype(str).equals(slow[["student_id", "week"]].astype(str))
    for column in COLUMNS:
        left, right = fast[column].astype(float), slow[column].astype(float)
        np.testing.assert_allclose(left, right, rtol=1e-5, atol=3e-6, err_msg=column)


@pytest.mark.parametrize("feature_set", list(FEATURE_SETS))
def test_the_rows_keep_the_contract(feature_set):
    rows = frame_features(connect_frames(make_district(1, students=6)), feature_set=feature_set)
    assert len(check_features(rows, feature_set)) == len(rows)


def test_every_relation_is_in_the_list_and_every_file_is_a_relation():
    files = {
        str(path.relative_to(resource("sql/features")))[:-4]
        for path in resource("sql/features").rglob("*.sql")
    }
    assert files == {*RELATIONS, "macros"}
    for name, chosen in FEATURE_SETS.items():
        folder = resource("sql/feature_sets") / name
        named = {relation.rsplit("/", 1)[1] for relation in chosen.sql}
        assert {path.stem for path in folder.glob("*.sql")} == named


@pytest.mark.parametrize("feature_set", list(FEATURE_SETS))
def test_the_words_of_every_source_make_sentences(feature_set):
    words = FEATURE_SETS[feature_set].words
    assert all(isinstance(said, str) and said.strip() for said in vars(words).values())
    assert "{" not in words.at_schools.format(count="12") + words.arrived.format(day="3 Nov")
    assert "12" in words.at_schools.format(count="12") and "3 Nov" in words.arrived.format(day="3 Nov")
    if feature_set != "district":
        own = " ".join(vars(words).values()).lower()
        assert not [word for word in ("school", "attendance", "grade") if word in own]


def test_protected_attributes_are_never_inputs():
    protected = ("gender", "sex", "ethnic", "race", "socio", "imd", "region", "age_band", "disab")
    for chosen in FEATURE_SETS.values():
        inputs = [*chosen.names, *chosen.context]
        assert not [name for name in inputs if any(word in name for word in protected)]


# --- readers and races -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Records:
    "Stands in for a snapshot; another seed, another fingerprint."

    seed: int

    @property
    def fingerprint(self) -> str:
        return f"{self.seed:012d}"

    def connect(self, threads: int = 0):
        return connect_frames(make_district(self.seed, students=4))


def test_who_opened_the_rows_before_can_read_them_until_the_next_build(tmp_path):
    before = build_features(Records(1), tmp_path)
    files = before.files
    build_features(Records(3), tmp_path)
    assert files and all(file.is_file() for file in files)
    last = build_features(Records(5), tmp_path)
    assert not any(file.exists() for file in files) and all(file.is_file() for file in last.files)
    assert len([path for path in (tmp_path / "district").iterdir() if path.is_dir()]) == 2


SLOW = """
import pathlib, sys, time
sys.path.insert(0, "tests")
import edupulse.features.weekly as module
from test_features import Records
write, go = module.write_year, pathlib.Path(sys.argv[2]) / "go"
def slowly(connection, school_year, relation, building):
    files = write(connection, school_year, relation, building)
    print("half done", flush=True)
    while not go.exists():
        time.sleep(0.01)
    return files
module.write_year = slowly
print(len(module.build_features(Records(int(sys.argv[1])), sys.argv[2]).read()), flush=True)
"""


@pytest.mark.parametrize("second", [1, 3], ids=["the same records", "other records"])
def test_two_builds_at_once_both_end_well_and_one_says_that_it_waits(tmp_path, second):
    def begin(seed: int) -> subprocess.Popen:
        command = [sys.executable, "-c", SLOW, str(seed), str(tmp_path)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    first = begin(1)
    assert first.stdout.readline().strip() == "half done"
    running = [first, begin(second)]
    assert "waiting for it" in running[1].stderr.readline()
    (tmp_path / "go").touch()
    said = [process.communicate(timeout=120) for process in running]
    assert [process.returncode for process in running] == [0, 0], said
    assert "waiting for it" not in said[0][1] + said[1][1], "it is said once, by the one who waits"
    assert ("half done" in said[1][0]) == (second != 1), "the second builds only what the first has not made"
    assert len(read_features(tmp_path)) == int(said[1][0].split()[-1]) > 0
