"""The SQL against the oracle, cell by cell, on random districts."""

import numpy as np
import pytest
from random_district import make_district

from edupulse.features.catalog import CATALOG, CONTEXT, FEATURE_SETS, RELATIONS
from edupulse.features.oracle import connect_frames, oracle_features
from edupulse.features.quality import check_features
from edupulse.features.weekly import frame_features
from edupulse.resources import resource

COLUMNS = [*CATALOG, *CONTEXT, "has_attendance", "has_grades", "has_discipline"]


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.soak)])
def test_sql_equals_the_oracle(seed):
    tables = make_district(seed, students=10)
    fast = frame_features(connect_frames(tables)).sort_values(["student_id", "week"], ignore_index=True)
    slow = oracle_features(tables, 2023)
    assert fast[["student_id", "week"]].astype(str).equals(slow[["student_id", "week"]].astype(str))
    for column in COLUMNS:
        left, right = fast[column].astype(float), slow[column].astype(float)
        np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-5, err_msg=column)


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


def test_protected_attributes_are_never_inputs():
    protected = ("gender", "sex", "ethnic", "race", "socio", "imd", "region", "age_band", "disab")
    for chosen in FEATURE_SETS.values():
        inputs = [*chosen.names, *chosen.context]
        assert not [name for name in inputs if any(word in name for word in protected)]
