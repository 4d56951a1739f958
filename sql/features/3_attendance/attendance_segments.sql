-- The segments of each timeline within the calendar, with the number of counted days before each segment, so that
-- every counted day of the student's year has a place: 1, 2, 3, …
with spans as (
    select school_no, view, min(date) as first_date, max(date) as end_date
    from school_days
    group by school_no, view
),

clipped as (
    select
        attendance_timelines.timeline_no,
        attendance_timelines.view,
        segments.school_no,
        greatest(segments.from_date, spans.first_date) as from_date,
        least(segments.until_date, spans.end_date) as until_date
    from attendance_timelines
    join segments
        on segments.student_no = attendance_timelines.student_no
        and segments.view = attendance_timelines.stay_view
    join spans
        on spans.school_no = segments.school_no
        and spans.view = attendance_timelines.view
),

measured as (
    select
        clipped.*,
        at_start.days_before as days_before,
        at_end.days_before - at_start.days_before as days
    from clipped
    join school_days as at_start
        on at_start.school_no = clipped.school_no
        and at_start.view = clipped.view
        and at_start.date = clipped.from_date
    join school_days as at_end
        on at_end.school_no = clipped.school_no
        and at_end.view = clipped.view
        and at_end.date = clipped.until_date
    where clipped.from_date < clipped.until_date
)

select
    timeline_no,
    view,
    school_no,
    from_date,
    until_date,
    (sum(days) over (partition by timeline_no order by from_date) - days - days_before)::integer as place_offset
from measured
