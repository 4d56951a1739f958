-- The days that records reach: the first and the last on which something happened, and the end of the first school
-- week. Work that was not handed in is no event: its day may lie ahead.
with happened as (
    select min(date) as first_day, max(date) as last_day from attendance
    union all
    select min(submission_date), max(submission_date) from grades where grade_value is not null
    union all
    select min(incident_date), max(incident_date) from incidents
    union all
    select min(date), max(date) from calendar where day_type = 'instructional' and submitted_at is not null
),

first_weeks as (
    select min(date - cast((isodow(date) - week_starts_on + 7) % 7 as integer) + 7) as first_as_of
    from calendar
    join schools using (school_no)
    where day_type in ('instructional', 'open')
      and school_year in (select school_year from enrollments)
)

select
    min(first_day) as first_day,
    max(last_day) as last_day,
    any_value(first_as_of) as first_as_of
from happened
cross join first_weeks
