-- One row per student and week of the school year in which the student was on the roll, as known at the week's end:
-- the rows of the feature store. A stay whose exit nobody has recorded yet is still on the roll; of two stays on the
-- same day the one that began last counts; a student who changes to another calendar keeps each week number once.
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
),
stays as (
    select
        *,
        coalesce(recorded_at, entry_date) as known_from,
        case
            when exit_date is not null then greatest(exit_date, coalesce(exit_recorded_at, exit_date))
        end as exit_known_from
    from enrollments
),
on_the_roll as (
    select
        stays.student_no,
        stays.school_no,
        stays.school_year,
        stays.entry_date,
        cast(numbered_weeks.week as integer) as week,
        numbered_weeks.as_of
    from stays
    join numbered_weeks using (school_no, school_year)
    where stays.entry_date < numbered_weeks.as_of
        and stays.known_from < numbered_weeks.as_of
        and (stays.superseded_at is null or stays.superseded_at >= numbered_weeks.as_of)
        and (stays.exit_known_from is null or stays.exit_known_from >= numbered_weeks.as_of)
        and numbered_weeks.as_of <= $known_until
)
select distinct student_no, school_year, week, as_of
from on_the_roll
where not exists (
    from stays as later
    where later.student_no = on_the_roll.student_no
        and later.school_year = on_the_roll.school_year
        and (later.entry_date, later.school_no) > (on_the_roll.entry_date, on_the_roll.school_no)
        and later.entry_date < on_the_roll.as_of
        and later.known_from < on_the_roll.as_of
        and (later.superseded_at is null or later.superseded_at >= on_the_roll.as_of)
        and (later.exit_known_from is null or later.exit_known_from >= on_the_roll.as_of)
)
qualify row_number() over (partition by student_no, school_year, week order by as_of) = 1
