-- The segments of each timeline, and the calendar that holds for each: the final one (9999-12-31), unless the school
-- had days at that week end that it submitted later.
select
    timelines.timeline_no,
    timelines.school_no as home_no,
    segments.school_no,
    segments.from_date,
    segments.until_date,
    coalesce(late_calendar.as_of, date '9999-12-31') as view
from timelines
join segments
    on segments.student_no = timelines.student_no
    and segments.view = timelines.stay_view
left join late_calendar
    on late_calendar.school_no = segments.school_no
    and late_calendar.as_of = timelines.view
