-- How a class loses its students beside the classes that began with it: the logarithm of who had left by the end of each
-- week to who would have left had all of them lost the same share. Three students stand on either side, so that a small
-- class says little. Whoever completed the course has not left it; the last day is in the calendar, a plan.
with moments as (
    select distinct student_weeks.school_no, student_weeks.as_of, split_part(schools.school_id, '_', 2) as presentation
    from student_weeks
    join schools using (school_no)
),

last_days as (
    select school_no, max(date) as last_day
    from calendar
    where school_year = getvariable('school_year')
    group by school_no
),

counts as (
    select
        moments.school_no,
        moments.as_of,
        moments.presentation,
        count(distinct known_stays.student_no) as entered,
        count(distinct known_stays.student_no) filter (
            known_stays.exit_date < moments.as_of
            and known_stays.exit_recorded_at < moments.as_of
            and known_stays.exit_date <= last_days.last_day
        ) as gone
    from moments
    join last_days using (school_no)
    join known_stays using (school_no)
    where known_stays.entry_date < moments.as_of
      and known_stays.recorded_at < moments.as_of
      and (known_stays.superseded_at is null or known_stays.superseded_at >= moments.as_of)
    group by moments.school_no, moments.as_of, moments.presentation
)

select
    school_no,
    as_of,
    ln((gone + 3) / (entered * sum(gone) over together / sum(entered) over together + 3))::float as class_effect
from counts
window together as (partition by presentation, as_of)
