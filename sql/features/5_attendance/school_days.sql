-- For each school, seen finally and as of each day that timeline_stays names: every date, whether it counts
-- (instructional and submitted), and how many days counted before it. Two look-ups then give the days between any two
-- dates.
with needed as (
    select distinct school_no, view from timeline_stays
),

spans as (
    select school_no, min(date) as first_date, max(date) + 1 as end_date
    from known_calendar
    group by school_no
),

dates as (
    select
        needed.school_no,
        needed.view,
        unnest(generate_series(spans.first_date, least(spans.end_date, needed.view), interval 1 day))::date as date
    from needed
    join spans using (school_no)
),

counted as (
    select
        dates.*,
        coalesce(known_calendar.day_type = 'instructional' and known_calendar.submitted_at < dates.view, false)
            as counts
    from dates
    left join known_calendar using (school_no, date)
)

select
    school_no,
    view,
    date,
    counts,
    (sum(counts::integer) over (partition by school_no, view order by date) - counts::integer)::integer as days_before
from counted
