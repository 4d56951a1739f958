-- The weeks of each school's year: those with at least one instructional or open day, numbered from 1.
-- A week's own days run from week_start to the day before as_of. What happens in a week that does not exist, in a
-- holiday, counts to the next one: [from_date, as_of). Week 1 also takes up to four weeks before the year begins.
with school_weeks as (
    select distinct
        school_no,
        date - cast((isodow(date) - week_starts_on + 7) % 7 as integer) as week_start
    from known_calendar
    where day_type in ('instructional', 'open')
),

earlier_years as (
    select school_no, max(date) + 1 as ended
    from calendar
    where school_year < getvariable('school_year')
    group by school_no
),

numbered as (
    select
        school_no,
        week_start,
        week_start + 7 as as_of,
        row_number() over by_school as week,
        lag(week_start + 7) over by_school as previous_as_of
    from school_weeks
    window by_school as (partition by school_no order by week_start)
)

select
    numbered.school_no,
    numbered.week::integer as week,
    numbered.week_start,
    numbered.as_of,
    coalesce(numbered.previous_as_of, greatest(numbered.week_start - 28, earlier_years.ended)) as from_date
from numbered
left join earlier_years using (school_no)
where numbered.as_of <= getvariable('cutoff')
