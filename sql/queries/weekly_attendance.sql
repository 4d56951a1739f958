-- Attendance rate by week and grade level over eight weeks; week_1 … week_9 are the nine days between which they lie.
-- Expected are the instructional days whose attendance has arrived, of each student enrolled that day, so a source
-- that lists only absences gives the same rate as one that lists every day.
with weeks (week_start, week_after) as (
    values
        (:week_1, :week_2), (:week_2, :week_3), (:week_3, :week_4), (:week_4, :week_5),
        (:week_5, :week_6), (:week_6, :week_7), (:week_7, :week_8), (:week_8, :week_9)
),
days as (
    select school_calendar.school_id, school_calendar.school_year, school_calendar.date, weeks.week_start
    from weeks
    inner join school_calendar
        on school_calendar.date >= weeks.week_start and school_calendar.date < weeks.week_after
    where school_calendar.day_type = 'instructional' and school_calendar.submitted_at is not null
),
stays as (
    select school_id, school_year, grade_level, entry_date, exit_date, count(*) as students
    from enrollments
    where superseded_at is null
    group by school_id, school_year, grade_level, entry_date, exit_date
),
expected as (
    select days.week_start, stays.grade_level, sum(stays.students) as student_days
    from stays
    inner join days
        on days.school_id = stays.school_id
        and days.school_year = stays.school_year
        and days.date >= stays.entry_date
        and (stays.exit_date is null or days.date < stays.exit_date)
    group by days.week_start, stays.grade_level
),
missed as (
    select
        days.week_start,
        enrollments.grade_level,
        sum(case when attendance_records.period is null then 1.0 else 1.0 / coalesce(schools.periods_per_day, 1) end) as days_missed
    from attendance_records
    inner join enrollments
        on enrollments.student_id = attendance_records.student_id
        and enrollments.superseded_at is null
        and attendance_records.date >= enrollments.entry_date
        and (enrollments.exit_date is null or attendance_records.date < enrollments.exit_date)
    inner join schools on schools.school_id = enrollments.school_id
    inner join days
        on days.school_id = enrollments.school_id
        and days.school_year = enrollments.school_year
        and days.date = attendance_records.date
    where
        attendance_records.superseded_at is null
        and attendance_records.status in ('absent', 'excused')
        and attendance_records.date >= :week_1
        and attendance_records.date < :week_9
    group by days.week_start, enrollments.grade_level
)
select
    expected.week_start,
    expected.grade_level,
    cast(expected.student_days as integer) as student_days,
    1.0 - cast(coalesce(missed.days_missed, 0.0) / expected.student_days as double precision) as attendance_rate
from expected
left join missed
    on missed.week_start = expected.week_start
    and (missed.grade_level = expected.grade_level or (missed.grade_level is null and expected.grade_level is null))
order by expected.week_start, expected.grade_level
