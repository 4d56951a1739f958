-- One row per student and week of the school year in which the student was on the roll, as known at the week's end:
-- the rows of the feature store. A stay whose exit nobody has recorded yet is still on the roll.
with term_weeks as (
    select distinct
        calendar.school_no,
        calendar.school_year,
        calendar.date - cast((isodow(calendar.date) - schools.week_starts_on + 7) % 7 as integer) as week_start
    from calendar
    join schools using (school_no)
    where calendar.day_type in ('instructional', 'open')
),
numbered_weeks as (
    select
        *,
        week_start + 7 as as_of,
        row_number() over (partition by school_no, school_year order by week_start) as week
    from term_weeks
)
select distinct
    enrollments.student_no,
    enrollments.school_year,
    cast(numbered_weeks.week as integer) as week,
    numbered_weeks.as_of
from enrollments
join numbered_weeks
    on numbered_weeks.school_no = enrollments.school_no
    and numbered_weeks.school_year = enrollments.school_year
    and numbered_weeks.as_of > enrollments.entry_date
    and numbered_weeks.as_of <= $known_until
where enrollments.recorded_at < numbered_weeks.as_of
    and (enrollments.superseded_at is null or enrollments.superseded_at >= numbered_weeks.as_of)
    and not (
        enrollments.exit_date is not null
        and enrollments.exit_date < numbered_weeks.as_of
        and coalesce(enrollments.exit_recorded_at, enrollments.exit_date) < numbered_weeks.as_of
    )
qualify row_number() over (
    partition by enrollments.student_no, enrollments.school_year, numbered_weeks.week
    order by enrollments.entry_date desc, enrollments.school_no
) = 1
