"""A small district at random, with everything that goes wrong in one: late, corrected and withdrawn records."""

from datetime import date, timedelta

import numpy as np
import pandas as pd

FIRST, LAST = date(2023, 8, 28), date(2024, 1, 26)
NONE = pd.NaT


def make_schools() -> pd.DataFrame:
    "Three schools: by day, by six periods with weeks that start on Thursday, and by day with many gaps."
    return pd.DataFrame(
        {
            "school_no": [1, 2, 3],
            "school_id": ["north", "south", "west"],
            "periods_per_day": pd.array([None, 6, None], dtype="Int64"),
            "week_starts_on": [1, 4, 1],
            "submitted_through": [LAST] * 3,
        }
    )


def make_calendar(random: np.random.Generator) -> pd.DataFrame:
    "Weekdays in term, with a holiday of two weeks; one school submits some days late and some never."
    rows = []
    for school in (1, 2, 3):
        for offset in range((LAST - FIRST).days + 1):
            day = FIRST + timedelta(offset)
            closed = (
                day.weekday() >= 5 or date(2023, 10, 9) <= day < date(2023, 10, 23) or random.random() < 0.03
            )
            kind = "closed" if closed else "open" if random.random() < 0.03 else "instructional"
            late = random.integers(1, 20) if school == 3 and random.random() < 0.2 else 0
            never = random.random() < (0.1 if school == 3 else 0.01)
            submitted = NONE if never else pd.Timestamp(day) + pd.Timedelta(days=int(late))
            rows.append((school, day, 2023, kind, submitted))
        rows.append((school, date(2023, 3, 1), 2022, "instructional", pd.Timestamp(2023, 3, 1)))
    return pd.DataFrame(rows, columns=["school_no", "date", "school_year", "day_type", "submitted_at"])


def known_times(random: np.random.Generator, day: date) -> tuple:
    "When a record of that day was made, and when it was withdrawn: mostly on the day and never."
    late = int(random.integers(1, 30)) if random.random() < 0.15 else 0
    recorded = pd.Timestamp(day) + pd.Timedelta(days=late, hours=int(random.integers(0, 24)))
    if random.random() > 0.12:
        return recorded, NONE
    return recorded, recorded + pd.Timedelta(
        days=int(random.integers(0, 40)), hours=int(random.integers(0, 9))
    )


def some_day(random: np.random.Generator) -> date:
    "A day in or just around the year."
    return FIRST + timedelta(int(random.integers(-10, (LAST - FIRST).days + 5)))


def make_enrollments(random: np.random.Generator, students: int) -> pd.DataFrame:
    "Stays: most for the year, others late, left, come back, moved, overlapping, corrected, or known late."
    rows = []
    for student in range(1, students + 1):
        for _ in range(random.choice([1, 1, 2, 3])):
            usual = random.random() < 0.5
            entry = FIRST if usual else some_day(random)
            left = random.random() < (0.15 if usual else 0.6)
            leaving = entry + timedelta(int(random.integers(0, 120))) if left else None
            recorded, superseded = known_times(random, entry)
            exit_known = (
                pd.Timestamp(leaving) + pd.Timedelta(days=int(random.integers(-5, 40))) if left else NONE
            )
            school, grade = int(random.integers(1, 4)), int(random.integers(6, 12))
            reason = "dropout" if left else None
            rows.append(
                (student, school, 2023, grade, entry, leaving, reason, recorded, exit_known, superseded)
            )
        rows.append(
            (
                student,
                1,
                2022,
                5,
                date(2023, 3, 1),
                date(2023, 7, 1),
                "unknown",
                *[pd.Timestamp(2023, 9, 20)] * 2,
                NONE,
            )
        )
    names = "student_no school_no school_year grade_level entry_date exit_date exit_reason recorded_at exit_recorded_at superseded_at"
    return pd.DataFrame(rows, columns=names.split())


def make_attendance(random: np.random.Generator, students: int) -> pd.DataFrame:
    "Absences in runs, by day or by period, with some days of presence that say nothing."
    rows = []
    for student in range(1, students + 1):
        for _ in range(25):
            day = some_day(random)
            for offset in range(int(random.integers(1, 5))):
                absent = day + timedelta(offset)
                periods = (
                    [None]
                    if random.random() < 0.5
                    else list(random.permutation(6)[: random.integers(1, 7)] + 1)
                )
                for period in periods:
                    status = str(random.choice(["absent", "excused", "tardy", "present"]))
                    rows.append((student, absent, period, status, *known_times(random, absent)))
    frame = pd.DataFrame(
        rows, columns=["student_no", "date", "period", "status", "recorded_at", "superseded_at"]
    )
    frame["period"] = frame["period"].astype("Int64")
    return frame.drop_duplicates(["student_no", "date", "period"], ignore_index=True)


def make_grades(random: np.random.Generator, students: int) -> pd.DataFrame:
    "Marks in three courses, some zero, some missing."
    rows = []
    for student in range(1, students + 1):
        for number in range(50):
            day = some_day(random)
            mark = random.choice(
                [None, 0.0, float(random.integers(0, 101)), float(random.integers(30, 101))],
                p=[0.1, 0.05, 0.4, 0.45],
            )
            course = f"course {random.integers(1, 4)}"
            kind = str(random.choice(["test", "homework", "project"]))
            rows.append(
                (student, course, f"work {number}", mark, day, day, 1.0, kind, *known_times(random, day))
            )
    names = "student_no course_id assignment grade_value submission_date due_date weight assignment_type recorded_at superseded_at"
    return pd.DataFrame(rows, columns=names.split()).astype({"grade_value": float})


def make_incidents(random: np.random.Generator, students: int) -> pd.DataFrame:
    "Incidents of a third of the students."
    rows = []
    for student in range(1, students + 1, 3):
        for _ in range(int(random.integers(1, 9))):
            day = some_day(random)
            kind = str(random.choice(["fighting", "disruption", "dress code"]))
            outcome = random.choice(["warning", "3 days suspension", "expelled", None])
            rows.append((student, day, int(random.integers(1, 6)), kind, outcome, *known_times(random, day)))
    names = "student_no incident_date severity_level incident_type resolution recorded_at superseded_at"
    return pd.DataFrame(rows, columns=names.split())


def make_district(seed: int, students: int = 12) -> dict[str, pd.DataFrame]:
    "Relation name → frame, with the columns of the snapshot's views."
    random = np.random.default_rng(seed)
    numbers = range(1, students + 1)
    people = pd.DataFrame(
        {
            "student_no": numbers,
            "student_id": [f"00000000-0000-0000-0000-{number:012d}" for number in numbers],
        }
    )
    people["district_id"] = people["person"] = [f"S{number}" for number in numbers]
    people["grade_level"], people["metadata"] = 9, "{}"
    return {
        "students": people,
        "schools": make_schools(),
        "calendar": make_calendar(random),
        "enrollments": make_enrollments(random, students),
        "attendance": make_attendance(random, students),
        "grades": make_grades(random, students),
        "incidents": make_incidents(random, students),
    }
