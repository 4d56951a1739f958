-- The segments of each timeline within the calendar: how many counted days lie before their start and end, which
-- weeks of the timeline's own school they touch for the first time, and what to add to a day's number at its school
-- to get its place among all counted days of the student: 1, 2, 3, … The windows read timelines one after another, in
-- passing. is_only: whether the timeline has no other segment.
with spans as materialized (
    select school_no, view, min(date) as first_date, max(date) as end_date
    from school_days
    group by school_no, view
),

bounds as (
    select school_no, min(from_date) as first_date, max(as_of) as end_date
    from weeks
    group by school_no
),

clipped as materialized (
    select
        timeline_stays.timeline_no,
        timeline_stays.home_no,
        timeline_stays.view,
        timeline_stays.school_no,
        greatest(timeline_stays.from_date, spans.first_date) as from_date,
        least(timeline_stays.until_date, spans.end_date) as until_date
    from timeline_stays
    join spans
        on spans.school_no = timeline_stays.school_no
        and spans.view = timeline_stays.view
),

measured as (
    select
        clipped.*,
        at_start.days_before as start_days,
        at_end.days_before as end_days,
        coalesce(first.week, 1) as first_week,
        coalesce(last.week, 99) as last_week
    from clipped
    join bounds on bounds.school_no = clipped.home_no
    join school_days as at_start
        on at_start.school_no = clipped.school_no
        and at_start.view = clipped.view
        and at_start.date = clipped.from_date
    join school_days as at_end
        on at_end.school_no = clipped.school_no
        and at_end.view = clipped.view
        and at_end.date = clipped.until_date
    left join week_of_date as first
        on first.school_no = clipped.home_no
        and first.date = clipped.from_date
    left join week_of_date as last
        on last.school_no = clipped.home_no
        and last.date = clipped.until_date - 1
    where clipped.from_date < clipped.until_date
      and clipped.from_date < bounds.end_date
      and clipped.until_date > bounds.first_date
),

in_order as (
    select *, end_days - start_days as days
    from measured
    order by timeline_no, from_date
),

passed as (
    select
        *,
        lag(timeline_no, 1, -1) over () <> timeline_no as starts,
        lead(timeline_no, 1, -1) over () <> timeline_no as ends,
        so_far(days) as days_so_far,
        greatest_so_far(timeline_no, last_week) as weeks_so_far
    from in_order
)

select
    timeline_no,
    home_no,
    view,
    school_no,
    from_date,
    until_date,
    start_days,
    end_days,
    greatest(first_week, 1 + if(starts, 0, lag(weeks_so_far) over ()))::integer as first_week,
    last_week,
    (since_start(starts, days_so_far, days) - days - start_days)::integer as place_offset,
    starts and ends as is_only
from passed
