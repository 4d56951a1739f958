-- For the weeks of one school and the days of another (the same one, but for students who moved): the number of
-- counted days before the week's end, and before the start of the 1, 4 and 8 weeks that end with it.
with needed as (
    select distinct home_no, school_no, view from attendance_segments
),

spans as (
    select school_no, view, min(date) as first_date, max(date) as end_date
    from school_days
    group by school_no, view
),

bounds as (
    select
        needed.*,
        weeks.week,
        greatest(spans.first_date, least(spans.end_date, weeks.from_date)) as from_date,
        greatest(spans.first_date, least(spans.end_date, weeks.as_of)) as until_date
    from needed
    join weeks on weeks.school_no = needed.home_no
    join spans
        on spans.school_no = needed.school_no
        and spans.view = needed.view
),

measured as (
    select
        bounds.home_no,
        bounds.school_no,
        bounds.view,
        bounds.week,
        at_start.days_before as since_1,
        at_end.days_before as until_days
    from bounds
    join school_days as at_start
        on at_start.school_no = bounds.school_no
        and at_start.view = bounds.view
        and at_start.date = bounds.from_date
    join school_days as at_end
        on at_end.school_no = bounds.school_no
        and at_end.view = bounds.view
        and at_end.date = bounds.until_date
)

select
    *,
    min(since_1) over (by_week rows between 3 preceding and current row) as since_4,
    min(since_1) over (by_week rows between 7 preceding and current row) as since_8
from measured
window by_week as (partition by home_no, school_no, view order by week)
