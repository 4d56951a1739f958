"No count from 1 to 9 can be read off a page, or worked out from it and the public rule, by somebody with a linear program."

from fractions import Fraction
from math import ceil, floor

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

from edupulse.care.suppression import EVERYBODY, Figures, Sum, cross, figure_key, rule_figures, suppress
from edupulse.dashboard.school_data import LISTED, SPARE, SUPPORTS, band_figures, listed_figures
from edupulse.evaluation.fairness import FairnessRule, audit_attribute
from edupulse.evaluation.groups import MEASURES, hides_a_period, with_groups
from edupulse.evaluation.metrics import Resampling
from edupulse.scoring.roster import BandRule, place_bands

N_SIZE = 10


def interval(page: Figures, hidden: frozenset, wanted: frozenset) -> tuple[float, float]:
    "The least and the greatest that a figure can be, by a program that knows only what is shown and what adds up."
    keys = list(page.counts)
    place = {key: number for number, key in enumerate(keys)}

    def rows(lines):
        matrix = np.zeros((len(lines), len(keys)))
        for row, line in zip(matrix, lines, strict=True):
            row[place[line.total]] += 1
            for part in line.parts:
                row[place[part]] -= 1
        return matrix if len(lines) else None

    bounds = [(0, None) if key in hidden else (page.counts[key],) * 2 for key in keys]
    ends = []
    for sign in (1, -1):
        goal = np.zeros(len(keys))
        goal[place[wanted]] = sign
        equal, most = rows(page.sums), rows(page.limits)
        right = {"b_eq": None if equal is None else np.zeros(len(equal))}
        right["b_ub"] = None if most is None else np.zeros(len(most))
        found = linprog(goal, A_eq=equal, A_ub=most, bounds=bounds, **right)
        assert found.status in (0, 3), found.message  # 3: without bound
        ends.append(sign * np.inf * -1 if found.status == 3 else sign * found.fun)
    return ends[0], ends[1]


def width(page: Figures, hidden: frozenset, wanted: frozenset) -> float:
    "How many values a figure can have, and that its own is one of them."
    least, most = interval(page, hidden, wanted)
    assert least - 1e-6 <= page.counts[wanted] <= most + 1e-6
    return np.floor(most + 1e-6) - np.ceil(least - 1e-6) + 1


NOTHING = Figures({})


def assert_safe(page: Figures, spare: frozenset = EVERYBODY, rule: Figures = NOTHING):
    "Nothing small is shown, and everything small that is hidden can be three numbers, or all that the rule leaves it."
    hidden = suppress(page, N_SIZE, spare=spare)
    small = {key for key, count in page.counts.items() if 0 < count < N_SIZE}
    assert small <= hidden
    known = page | rule
    for key in small:
        if (values := width(known, hidden, key)) < 3:
            assert rule is not NOTHING, sorted(key)
            assert values == width(known, frozenset(page.counts), key), sorted(key)


def table(draws, rows, columns, **where):
    "Random counts as a table."
    return cross(pd.DataFrame(draws).rename_axis(index=rows, columns=columns), **where)


def split(page: Figures, rows: str, columns: str, rng: np.random.Generator, **where) -> Figures:
    "Another table of the same students, with the same margin in its rows."
    which = {
        dict(key)[rows] for key in page.counts if dict(key).keys() == {rows, *where} and where.items() <= key
    }
    share = rng.dirichlet(np.ones(rng.integers(2, 6)))
    margin = [page.counts[figure_key(**where, **{rows: name})] for name in sorted(which)]
    return table([rng.multinomial(count, share) for count in margin], rows, columns, **where)


def random_page(seed: int) -> Figures:
    "Bands by grade; of some, also by school, support by grade, reasons by grade, and some weeks before."
    rng = np.random.default_rng(seed)
    shape = rng.integers(2, [5, 7])
    mean = rng.choice([0.3, 2, 5, 12, 40, 150], size=shape)
    draws = rng.poisson(mean)
    page = table(draws, "band", "grade")
    if seed % 2:
        page |= split(page, "band", "school", rng)
    if seed % 3 == 1:
        page |= split(page, "grade", "support", rng)
    if seed % 3 == 2:
        listed = draws[0]
        part = np.array([rng.binomial(listed, share) for share in rng.random(3)])
        own = cross(pd.DataFrame(part).rename_axis(index="reason", columns="grade"), partial=["reason"])
        limits = [
            Sum(figure_key(reason=r, grade=g), (figure_key(band=0, grade=g),))
            for r, g in np.ndindex(part.shape)
        ]
        page |= Figures(own.counts, own.sums, tuple(limits))
    if seed % 5 == 0:
        for week in range(3):
            page |= weekly(rng.poisson(draws.sum(axis=1)), week)
    return page


def weekly(counts, week: int) -> Figures:
    "The bands of an earlier week, which add up to its students."
    parts = {figure_key(band=band, week=week): int(count) for band, count in enumerate(counts)}
    total = figure_key(week=week)
    return Figures({**parts, total: sum(parts.values())}, (Sum(total, tuple(parts)),))


def test_the_attack_finds_what_is_badly_hidden():
    page = table([[3, 20], [40, 50]], "band", "grade")
    three = figure_key(band=0, grade=0)
    assert interval(page, frozenset({three}), three) == (3, 3)
    assert interval(page, suppress(page), three) == (0, 23)


@pytest.mark.parametrize("start", range(0, 60, 20))
def test_no_small_count_can_be_worked_out(start):
    for seed in range(start, start + 20):
        assert_safe(random_page(seed))


@pytest.mark.soak
@pytest.mark.parametrize("start", range(0, 1000, 100))
def test_no_small_count_can_be_worked_out_of_a_thousand_pages(start):
    for seed in range(start, start + 100):
        assert_safe(random_page(seed))


def public_rule(frame: pd.DataFrame) -> Figures:
    "Of each school: a tenth of its roll, rounded up, is met or watched; of 380 students 8 can be met, and of any school one."
    counts, sums, limits = {}, [], []
    for school, students in frame.groupby("school_id"):
        at = {"school": school} if frame["school_id"].nunique() > 1 else {}
        meet, watch = (figure_key(band=band, **at) for band in LISTED)
        listed, room = (figure_key(known=what, of=school) for what in ("listed", "room"))
        counts |= {
            meet: int((students["band"] == "meet").sum()),
            watch: int((students["band"] == "watch").sum()),
        }
        counts[listed] = min(ceil(Fraction(len(students), 10)), int(students["judged"].sum()))
        counts[room] = max(1, floor(Fraction(8 * len(students), 380) + Fraction(1, 2)))
        sums.append(Sum(listed, (meet, watch)))
        limits.append(Sum(meet, (room,)))
    return Figures(counts, tuple(sums), tuple(limits))


def school_page(seed: int) -> tuple[Figures, Figures]:
    "What the school's page counts, of made-up students of one to four schools, and what the rule says of them."
    rng = np.random.default_rng(seed)
    size, schools = int(rng.integers(60, 1500)), [f"s{number}" for number in range(rng.integers(1, 5))]
    frame = pd.DataFrame({"student_id": [str(number) for number in range(size)]})
    frame["school_id"] = rng.choice(schools, size, p=rng.dirichlet(np.ones(len(schools)) * 3))
    frame["grade_level"] = rng.integers(6, 13, size)
    frame["risk_score"], frame["judged"] = rng.random(size), rng.random(size) > 0.01
    frame["risk_category"] = rng.choice(["low", "high"], size, p=[0.8, 0.2])
    frame["band"] = place_bands(frame, BandRule())
    frame["support"] = rng.choice(SUPPORTS, size, p=[0.8, 0.12, 0.08])
    listed = frame.loc[frame["band"].isin(LISTED), ["student_id"]]
    said = [
        listed.assign(reason=rng.choice(list("abcd"), len(listed), p=[0.5, 0.3, 0.15, 0.05]))
        for _ in range(2)
    ]
    page = band_figures(frame) | listed_figures(frame, pd.concat(said).drop_duplicates())
    return rule_figures(frame, BandRule()) | page, public_rule(frame)


def test_no_small_count_can_be_worked_out_of_the_school_s_page():
    for seed in range(4):
        page, rule = school_page(seed)
        assert_safe(page, SPARE, rule)


def alder() -> pd.DataFrame:
    "129 students, of whom 3 are to meet and 10 to watch; of these 13, 10 have no plan yet."
    frame = pd.DataFrame({"student_id": [str(number) for number in range(129)], "school_id": "alder"})
    frame["band"], frame["judged"] = np.repeat(["meet", "watch", "track"], [3, 10, 116]), True
    frame["support"] = np.repeat(["none", "running", "ended", "none"], [10, 2, 1, 116])
    return frame.assign(grade_level=np.arange(129) % 4 + 9)


def test_what_the_public_rule_says_is_no_way_to_a_hidden_count():
    frame = alder()
    counted = band_figures(frame) | listed_figures(frame, pd.DataFrame(columns=["student_id", "reason"]))
    meet, watch = (figure_key(band=band) for band in LISTED)
    none = figure_key(listed=True, support="none")
    rule, page = public_rule(frame), rule_figures(frame, BandRule()) | counted
    before = frozenset({meet, figure_key(listed=True)})
    assert interval(counted | rule, before, meet) == (3, 3), "13 of 129 less the 10 that are watched"
    hidden = suppress(page, N_SIZE, spare=SPARE)
    assert {meet, watch, none} <= hidden and figure_key() not in hidden
    assert interval(page | rule, hidden, meet) == (0, 3)
    assert width(page | rule, hidden, none) >= 3
    assert_safe(page, SPARE, rule)


def test_of_a_small_school_the_page_tells_no_more_than_the_rule():
    "Of 60 students one can be met: nobody or one, whatever is hidden."
    frame = alder().head(60).assign(band=np.repeat(["meet", "watch", "track"], [1, 5, 54]))
    page, rule = rule_figures(frame, BandRule()) | band_figures(frame), public_rule(frame)
    assert_safe(page, SPARE, rule)
    assert interval(page | rule, suppress(page, N_SIZE, spare=SPARE), figure_key(band="meet")) == (0, 1)


@pytest.mark.soak
def test_no_small_count_can_be_worked_out_of_a_hundred_school_s_pages():
    for seed in range(100):
        page, rule = school_page(seed)
        assert_safe(page, SPARE, rule)


def test_tables_that_share_a_margin_are_as_safe_as_the_students_behind_them():
    "Bands by grade and by school are sums of one table of three directions; nothing more follows from that one."
    rng = np.random.default_rng(5)
    deep = rng.poisson(4, size=(2, 3, 3))
    page = table(deep.sum(axis=2), "band", "grade") | table(deep.sum(axis=1), "band", "school")
    hidden = suppress(page)
    behind = {figure_key(band=b, grade=g, school=s): int(count) for (b, g, s), count in np.ndenumerate(deep)}
    lines = [
        Sum(key, tuple(cell for cell in behind if key <= cell)) for key in page.counts if len(dict(key)) == 2
    ]
    joint = Figures({**page.counts, **behind}, page.sums + tuple(lines))
    small = [key for key, count in page.counts.items() if 0 < count < N_SIZE]
    assert small, "this draw shows nothing"
    for key in small:
        least, most = interval(joint, hidden | set(behind), key)
        assert np.floor(most + 1e-6) - np.ceil(least - 1e-6) >= 2


CELLS = ("found", "vain", "missed", "passed")  # listed or not, left or not: everybody is in one
SUMS = {"seat": CELLS[:2], "left": ("found", "missed"), "stayed": ("vain", "passed"), "weeks": CELLS}
SUMS |= {cell: (cell,) for cell in CELLS}


def random_roll(seed: int) -> pd.DataFrame:
    "One week of two large groups and one to three small ones, in which a student is a week: nothing blurs the counts."
    rng = np.random.default_rng(seed)
    sizes = [*rng.integers(60, 1500, 2), *rng.choice([1, 3, 6, 8, 12, 25, 60], rng.integers(1, 4))]
    group = np.repeat([f"g{number}" for number in range(len(sizes))], sizes)
    risk = rng.choice([0.02, 0.05, 0.1, 0.3], len(sizes))[np.unique(group, return_inverse=True)[1]]
    left = rng.random(len(group)) < risk
    score = np.clip(risk / 2 + left * rng.choice([0.1, 0.4]) + rng.normal(0, 0.2, len(group)), 0, 1)
    rows = pd.DataFrame({"student_id": [f"{each:05}" for each in range(len(group))], "school_id": group})
    rows = rows.assign(as_of=pd.Timestamp("2025-10-06"), risk_score=score, late_catch=False)
    rows["left"] = pd.array(left, dtype="boolean")
    return with_groups(rows, rows[["student_id"]], rng.choice([0.05, 0.1, 0.2]))


def counts_of(rows: pd.DataFrame) -> dict[tuple[str, str], int]:
    "How many of each group are in each cell."
    seat, left = rows["seat"].to_numpy(bool), rows["left"].to_numpy(bool)
    masks = dict(zip(CELLS, (seat & left, seat & ~left, ~seat & left, ~seat & ~left), strict=True))
    groups = sorted(rows["school_id"].unique())
    return {
        (group, cell): int((masks[cell] & (rows["school_id"] == group)).sum())
        for group in groups
        for cell in CELLS
    }


def what_is_known(counts: dict, table: pd.DataFrame) -> LinearConstraint:
    "The district's totals, exactly, and all that an audit says of its groups, as lines of the cells."
    place, lines = {key: number for number, key in enumerate(counts)}, []

    def add(group, parts, low, high):
        row = np.zeros(len(place))
        for name, weight in parts.items():
            for cell in SUMS[name]:
                row[place[group, cell]] += weight
        lines.append((row, low, high))

    for cell in CELLS:
        total = sum(count for (_, each), count in counts.items() if each == cell)
        lines.append((np.array([each == cell for _, each in counts], float), total, total))
    for row in table[table["measure"] != "calibration"].itertuples():
        above, below = MEASURES[row.measure]
        for name, told, most in (
            ("weeks", row.students, row.most_students),
            (below, row.behind, row.most_behind),
        ):
            most = np.inf if pd.isna(most) else most
            add(row.group, {name: 1}, *((0, most) if pd.isna(told) else (told, told)))
        if not np.isnan(row.value):
            half = row.step / 2 + 1e-9
            add(row.group, {below: 1}, N_SIZE, np.inf)
            add(row.group, {above: 1, below: half - row.value}, 0, np.inf)
            add(row.group, {above: 1, below: -half - row.value}, -np.inf, 0)
    rows, low, high = zip(*lines, strict=True)
    return LinearConstraint(np.array(rows), low, high)


def worked_out(rows: pd.DataFrame, table: pd.DataFrame) -> list[tuple]:
    "Every count from 1 to 9 of a group that can be one number only."
    counts, found = counts_of(rows), []
    known, whole = what_is_known(counts, table), np.ones(len(counts))
    for group in sorted(rows["school_id"].unique()):
        for name, cells in SUMS.items():
            own = sum(counts[group, cell] for cell in cells)
            if 0 < own < N_SIZE:
                goal = np.array([key in {(group, cell) for cell in cells} for key in counts], float)
                ends = [
                    milp(sign * goal, integrality=whole, bounds=Bounds(0), constraints=known)
                    for sign in (1, -1)
                ]
                least, most = (round(sign * end.fun) for sign, end in zip((1, -1), ends, strict=True))
                assert least <= own <= most
                found += [(group, name, own)] if least == most else []
    return found


FEW_DRAWS = FairnessRule(resampling=Resampling(repeats=3))


def test_no_small_count_can_be_worked_out_of_an_audit():
    "Every group keeps its rates, but not their digits: with these, the same attack finds the small ones."
    table, rows = audit_attribute(random_roll(1), "school_id", FEW_DRAWS), random_roll(1)
    counts, exact = counts_of(rows), table.assign(step=0.0)
    for number, row in table[table["measure"] != "calibration"].iterrows():
        above, below = (
            sum(counts[row["group"], cell] for cell in SUMS[name]) for name in MEASURES[row["measure"]]
        )
        exact.loc[number, "value"] = above / below if below >= N_SIZE else np.nan
    assert worked_out(rows, exact)
    for seed in range(8):
        rows = random_roll(seed)
        table = audit_attribute(rows, "school_id", FEW_DRAWS)
        assert table.loc[table["group"].isin(["g0", "g1"]), "value"].notna().any() and not worked_out(
            rows, table
        )


def two_years(seed: int) -> pd.DataFrame:
    "Two large groups in two years; in the second a handful left, and it is told of nobody how many."
    years = {}
    for number, fold in enumerate(("first", "second")):
        rows = random_roll(2 * seed + number)
        rows = rows[rows["school_id"].isin(["g0", "g1"])]
        left = rows["left"] | (
            rows.index < (2 * N_SIZE, 1)[number]
        )  # enough in the first, somebody in the second
        years[fold] = rows.assign(student_id=fold + rows["student_id"], fold=fold, left=left)
    handful = np.random.default_rng(seed).integers(1, N_SIZE)
    left = years["second"]["left"]
    years["second"]["left"] = left & (left.cumsum() <= handful)
    return pd.concat(years.values(), ignore_index=True)


def left_in_the_second(rows: pd.DataFrame, table: pd.DataFrame) -> tuple[int, int]:
    "The fewest and the most that can have left in it, for who knows the first year's totals, both rolls and lists, and the audit."
    folds = ["first", "second"]
    keys = [(group, fold, cell) for group in ("g0", "g1") for fold in folds for cell in CELLS]
    own = {fold: counts_of(rows[rows["fold"] == fold]) for fold in folds}
    lines = []

    def add(low, high, group=None, fold=None, **parts):
        row = [
            sum(weight * (cell in SUMS[name]) for name, weight in parts.items())
            * (group in (None, one) and fold in (None, year))
            for one, year, cell in keys
        ]
        lines.append((np.array(row, float), low, high))

    for fold, told in (("first", CELLS), ("second", ("seat", "weeks"))):
        for name in told:
            whole = sum(count for (_, cell), count in own[fold].items() if cell in SUMS[name])
            add(whole, whole, fold=fold, **{name: 1})
    add(1, N_SIZE - 1, fold="second", left=1)
    for row in table[table["measure"] != "calibration"].itertuples():
        above, below = MEASURES[row.measure]
        for name, told, most in (
            ("weeks", row.students, row.most_students),
            (below, row.behind, row.most_behind),
        ):
            high = np.inf if pd.isna(most) else most
            add(*((0, high) if pd.isna(told) else (told, told)), group=row.group, **{name: 1})
        if not np.isnan(row.value):
            half = row.step / 2 + 1e-9
            add(0, np.inf, group=row.group, **{above: 1, below: half - row.value})
            add(-np.inf, 0, group=row.group, **{above: 1, below: -half - row.value})
    matrix, low, high = zip(*lines, strict=True)
    known, whole = LinearConstraint(np.array(matrix), low, high), np.ones(len(keys))
    goal = np.array([fold == "second" and cell in SUMS["left"] for _, fold, cell in keys], float)
    ends = [milp(sign * goal, integrality=whole, bounds=Bounds(0), constraints=known) for sign in (1, -1)]
    return tuple(round(sign * end.fun) for sign, end in zip((1, -1), ends, strict=True))


def assert_no_year_follows(seed: int):
    "Of what groups of all years are said, a handful in one of them can be at least three numbers."
    rows = two_years(seed)
    gone = rows.loc[rows["fold"] == "second", "left"].sum()
    assert hides_a_period(rows, N_SIZE) and 0 < gone < N_SIZE
    least, most = left_in_the_second(rows, audit_attribute(rows, "school_id", FEW_DRAWS, unsaid=True))
    assert least <= gone <= most and most - least >= 2, seed


def test_no_hidden_year_can_be_worked_out_of_an_audit():
    "Groups add up to all years; with their counts, or with the digits of their rates, the same attack finds the hidden one."
    rows = two_years(1)
    gone = rows.loc[rows["fold"] == "second", "left"].sum()
    assert left_in_the_second(rows, audit_attribute(rows, "school_id", FEW_DRAWS)) == (gone, gone)
    for seed in range(4):
        assert_no_year_follows(seed)


@pytest.mark.soak
def test_no_hidden_year_can_be_worked_out_of_a_hundred_audits():
    for seed in range(4, 104):
        assert_no_year_follows(seed)


@pytest.mark.soak
@pytest.mark.parametrize("start", range(8, 208, 50))
def test_no_small_count_can_be_worked_out_of_two_hundred_audits(start):
    for seed in range(start, start + 50):
        rows = random_roll(seed)
        assert not worked_out(rows, audit_attribute(rows, "school_id", FEW_DRAWS)), seed
