"""The SQL against the oracle, cell by cell, on random districts."""

import numpy as np
import pandas as pd
import pytest
from random_district import connect, make_district

from edupulse.features.catalog import CATALOG, CONTEXT, FEATURE_SETS, RELATIONS
from edupulse.features.oracle import oracle_features
from edupulse.features.weekly import frame_features
from edupulse.resources import resource

COLUMNS = [*CATALOG, *CONTEXT, "has_attendance", "has_grades", "has_discipline"]


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.soak)])
def test_sql_equals_the_oracle(seed):
    tables = make_district(seed, students=10)
    fast = frame_features(connect(tables)).sort_values(["student_id", "week"], ignore_index=True)
    slow = oracle_features(tables, 2023)
    assert fast[["student_id", "week"]].astype(str).equals(slow[["student_id", "week"]].astype(str))
    for column in COLUMNS:
        left, right = fast[column].astype(float), slow[column].astype(float)
        np.testing.assert_allclose(left, right, rtol=1e-5, atol=3e-6, err_msg=column)


def test_every_feature_of_the_catalogue_is_a_column():
    rows = frame_features(connect(make_district(1, students=4)))
    assert set(CATALOG) <= set(rows)
    assert all(rows[name].dtype == np.float32 for name in CATALOG)
    low = pd.Series({name: feature.range[0] for name, feature in CATALOG.items()})
    high = pd.Series({name: feature.range[1] for name, feature in CATALOG.items()})
    assert (rows[list(CATALOG)].min() >= low - 1e-6).all() and (
        rows[list(CATALOG)].max() <= high + 1e-6
    ).all()


def test_every_relation_is_in_the_list_and_every_file_is_a_relation():
    files = {
        str(path.relative_to(resource("sql/features")))[:-4]
        for path in resource("sql/features").rglob("*.sql")
    }
    assert files == set(RELATIONS)
    for name, chosen in FEATURE_SETS.items():
        folder = resource("sql/feature_sets") / name
        named = {relation.rsplit("/", 1)[1] for relation in chosen.sql}
        assert {path.stem for path in folder.glob("*.sql")} == named


def test_protected_attributes_are_never_inputs():
    protected = ("gender", "sex", "ethnic", "race", "socio", "imd", "region", "age_band", "disab")
    for chosen in FEATURE_SETS.values():
        inputs = [*chosen.names, *chosen.context]
        assert not [name for name in inputs if any(word in name for word in protected)]
