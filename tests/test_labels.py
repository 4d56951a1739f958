"""Labels against a slow reading of the same rules, on a small district with everything that goes wrong in one."""

from datetime import date, datetime, timedelta

import duckdb
import numpy as np
import pandas as pd
import pytest

from edupulse.labels import CUTS, NEVER_DAYS, POLICIES, build_labels, settled_within

DAY = timedelta(days=1)
REASONS = ["dropout", "dropout", "transfer_verified", "transfer_unverified", "unknown", "graduated", None]
YEARS = {2023: (date(2023, 9, 4), date(2024, 6, 7)), 2024: (date(2024, 9, 2), date(2025, 6, 6))}


def midnight(day):
    return datetime(day.year, day.month, day.day)


class District:
    """Random stays, absences and a calendar; `connect` gives the snapshot's views over them."""

    def __init__(self, seed, students=120):
        self.generator = np.random.default_rng(seed)
        self.calendar = [
            (school, start + DAY * number, year, self.day_type(start + DAY * number))
            for year, (start, end) in YEARS.items()
            for school in (1, 2)
            for number in range((end - start).days + 1)
        ]
        self.stays, self.absences = [], []
        for student in range(1, students + 1):
            self.live(student)

    def day_type(self, day):
        if day.weekday() > 4 or (day.month == 12 and day.day > 20):
            return "closed"
        return "open" if self.generator.random() < 0.05 else "instructional"

    def live(self, student):
        "A student's stays: into a year, perhaps out of it, perhaps in again."
        for year, (start, end) in YEARS.items():
            entry = start + DAY * int(self.generator.choice([0, 0, 0, 60]))
            while entry < end and self.generator.random() < 0.9:
                leaves = self.generator.random() < 0.6
                reason = REASONS[self.generator.integers(len(REASONS))] if leaves else None
                exit_date = entry + DAY * int(self.generator.integers(5, 200)) if leaves else None
                told = exit_date + DAY * int(self.generator.integers(0, 40)) if leaves else None
                school = int(self.generator.integers(1, 3))
                self.stays.append(
                    (student, school, year, entry, exit_date, reason, told, self.superseded(entry))
                )
                last = exit_date or end
                self.miss(student, entry, last)
                entry = last + DAY * int(self.generator.choice([0, 3, 20, 90]))

    def superseded(self, entry):
        return midnight(entry + DAY * 70) if self.generator.random() < 0.05 else None

    def miss(self, student, entry, last):
        "Single absences, and a run of them before the end."
        days = {entry + DAY * int(number) for number in self.generator.integers(0, 200, 20)}
        days |= {last - DAY * number for number in range(int(self.generator.integers(0, 30)))}
        for day in sorted(days):
            told = midnight(day + DAY * int(self.generator.choice([0, 0, 5])))
            gone = told + DAY * 30 if self.generator.random() < 0.1 else None
            periods = int(self.generator.integers(1, 4))
            status = "excused" if self.generator.random() < 0.3 else "absent"
            self.absences += [(student, day, period + 1, status, told, gone) for period in range(periods)]

    def connect(self):
        connection = duckdb.connect()
        shapes = {
            "calendar": ("school_no int, date date, school_year int, day_type varchar, submitted_at timestamp",
                         [(*row, midnight(row[1])) for row in self.calendar]),
            "enrollments": ("student_no int, school_no int, school_year int, entry_date date, exit_date date, exit_reason"
                            " varchar, exit_recorded_at timestamp, superseded_at timestamp, recorded_at timestamp",
                            [(*row, midnight(row[3])) for row in self.stays]),
            "attendance": ("student_no int, date date, period int, status varchar, recorded_at timestamp,"
                           " superseded_at timestamp", self.absences),
            "schools": ("school_no int, week_starts_on int, periods_per_day int", [(1, 1, 3), (2, 3, 3)]),
        }  # fmt: skip
        for name, (columns, rows) in shapes.items():
            connection.execute(f"create table {name} ({columns})")
            names = [column.split()[0] for column in columns.replace("  ", " ").split(",")]
            frame = pd.DataFrame(rows, columns=names).astype(object)
            connection.register("frame", frame.where(frame.notna(), None))
            connection.execute(f"insert into {name} select * from frame")
        connection.execute(
            "create table students as select distinct student_no, student_no::varchar as student_id from enrollments"
        )
        return connection


def known(recorded, superseded, until):
    return recorded < until and (superseded is None or superseded >= until)


def slow_stays(district, until):
    "Each student's stays as known, in the order in which they end."
    stays = {}
    for student, school, year, entry, exit_date, reason, told, superseded in district.stays:
        if known(midnight(entry), superseded, until):
            visible = exit_date and midnight(exit_date) < until and midnight(told) < until
            ended = (exit_date, reason or "unknown") if visible else (None, None)
            stays.setdefault(student, []).append((year, ended[0] or date.max, entry, school, *ended))
    return {student: sorted(rows) for student, rows in stays.items()}


def slow_last_attended(district, student, stay, until):
    year, _, entry, school, exit_date, _ = stay
    missed = {}
    for who, day, period, _status, told, gone in district.absences:
        if who == student and known(told, gone, until):
            missed.setdefault(day, set()).add(period)
    last, attending, seen_any = entry - DAY, True, False
    for place, day, school_year, kind in district.calendar:
        if place == school and school_year == year and entry <= day < exit_date and kind != "closed":
            if kind == "instructional":
                if midnight(day) >= until:
                    continue
                attending = len(missed.get(day, ())) < 3
            seen_any = True
            last = day if attending else last
    return last if seen_any else max(exit_date, entry) - DAY


def slow_label(district, student, stays, as_of, year, policy, until, record_end):
    "The outcome seen from a week, by following the stays one by one."
    here = [number for number, stay in enumerate(stays) if stay[0] == year and stay[2] < as_of]
    if not here:
        return None
    entry = max(stays[number][2] for number in here)
    number = max(number for number in here if stays[number][2] == entry)
    for place in range(number, len(stays)):
        year, _, _, school, exit_date, reason = stays[place]
        following = stays[place + 1] if place + 1 < len(stays) else None
        if reason in policy.completing:
            return NEVER_DAYS, False, None
        if reason in policy.leaving:
            away = following and sum(
                1 for s, day, _, kind in district.calendar
                if s == school and kind != "closed" and exit_date <= day < following[2]
            )  # fmt: skip
            if following is None or away > policy.return_within_days:
                last = slow_last_attended(district, student, stays[place], until)
                return (last + DAY - as_of).days, True, last
        if following is None or following[0] > year + 1:
            year_end = max(
                day for s, day, y, k in district.calendar if s == school and y == year and k != "closed"
            )
            return max(0, (min(exit_date or year_end + DAY, record_end) - as_of).days), False, None
    raise AssertionError("no end")


def record_end(district, until):
    days = [day for _, day, _, _ in district.calendar if midnight(day) < until]
    for _, _, _, entry, _, _, told, _ in district.stays:
        days += [entry] if midnight(entry) < until else []
        days += [told] if told and midnight(told) < until else []
    return min(max(days) + DAY, until.date())


SPRING, AUTUMN = date(2024, 3, 6), date(2024, 10, 15)


@pytest.mark.parametrize(
    "policy, until", [("standard", SPRING), ("standard", AUTUMN), ("strict", None), ("broad", AUTUMN)]
)
def test_labels_agree_with_a_slow_reading(policy, until):
    district = District(seed=11)
    labels = build_labels(district, policy, known_until=until)
    moment = datetime(9999, 1, 1) if until is None else midnight(until)
    stays = slow_stays(district, moment)
    end = record_end(district, moment)
    assert len(labels) > 500 and labels["event"].any()
    for row in labels.itertuples():
        expected = slow_label(
            district, int(row.student_id), stays.get(int(row.student_id), []), row.as_of.date(),
            row.school_year, POLICIES[policy], moment, end,
        )  # fmt: skip
        assert expected is not None
        days, leaves, last = expected
        survived = sum(days > cut if leaves else days >= cut for cut in CUTS)
        assert (row.days, row.event, row.interval) == (days, leaves and days <= CUTS[-1], survived), row
        assert (None if pd.isna(row.last_attended) else row.last_attended.date()) == last
        assert row.late_catch == (leaves and days <= 0)


@pytest.mark.parametrize("seed", [3, 4])
def test_nothing_recorded_on_or_after_the_day_is_seen(seed):
    until = date(2024, 3, 6)
    district, altered = District(seed), District(seed)
    poison = np.random.default_rng(seed)
    moment = midnight(until)
    altered.stays = []
    for student, school, year, entry, exit_date, reason, told, superseded in district.stays:
        if entry >= until:
            continue
        if exit_date and (exit_date >= until or told >= until):
            exit_date, reason, told = [(None, None, None), (exit_date, "graduated", until + DAY)][
                poison.integers(2)
            ]
        if superseded and superseded >= moment:
            superseded = None
        altered.stays.append((student, school, year, entry, exit_date, reason, told, superseded))
    altered.stays.append((1, 2, 2023, date(2024, 3, 6), date(2024, 4, 1), "dropout", date(2024, 4, 2), None))
    altered.absences = [row for row in district.absences if row[4] < moment]
    altered.absences = [
        (*row[:5], None if row[5] and row[5] >= moment else row[5]) for row in altered.absences
    ]
    altered.absences += [(2, date(2024, 3, 1), period, "absent", moment, None) for period in (1, 2, 3)]
    first = build_labels(district, known_until=until)
    pd.testing.assert_frame_equal(first, build_labels(altered, known_until=until))
    assert len(first) > 300


def test_labels_are_unique_and_settled_answers_are_not_a_list_of_leavers():
    labels = build_labels(District(seed=11), known_until=date(2024, 3, 6))
    assert not labels.duplicated(["student_id", "school_year", "week"]).any()
    settled = settled_within(labels, 60)
    weeks = labels[settled.notna()].groupby("as_of").size()
    assert weeks.min() > 10 and labels.loc[settled.notna(), "as_of"].max() <= pd.Timestamp("2024-01-06")
    assert settled.mean() < 0.5
