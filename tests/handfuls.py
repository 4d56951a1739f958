"Counts of a few students, wherever they hide in a file of figures."

import re

COUNTS = re.compile(r"students.*|left|leavers.*|by_both|by_none|only_one|only_other|behind")


def handfuls(told, name=""):
    "Every count of students in a file, by its name, that is of one to nine."
    if isinstance(told, dict):
        return [found for key, each in told.items() for found in handfuls(each, f"{name}.{key}")]
    if isinstance(told, list):
        return [found for each in told for found in handfuls(each, name)]
    counted = (
        COUNTS.fullmatch(name.rpartition(".")[2]) and isinstance(told, int | float) and told in range(1, 10)
    )
    return [name] if counted else []


def near_misses(folds, n_size=10):
    "Counts of the folds of one test period that are told, and of which two are a handful apart, by name."
    found = []
    for period in {fold["fold"] for fold in folds}:
        here = [fold["figures"] for fold in folds if fold["fold"] == period]
        policies = [each for figures in here for each in figures.get("policies", {}).values()]
        for name in ("students", "weeks", "students_who_left"):
            told = {each.get(name) for each in (*here, *policies)} - {None}
            near = {one for one in told for other in told if 0 < abs(one - other) < n_size}
            found += [f"{period} {name}"] if near else []
    return found


SHARES = ("early", "late", "never", "listed_0", "listed_30", "listed_60")


def handful_shares(lead):
    "The shares of a ledger by which a handful of its students can be worked out, by name; the first three add up to one."
    left, told = lead["students"] or 0, {name: lead[name]["value"] for name in SHARES}
    found = [
        name
        for name, share in told.items()
        if share and any(0 < round(side * left) < 10 for side in (share, 1 - share))
    ]
    return found + ["one of three"] * ([told[name] for name in SHARES[:3]].count(None) == 1)
