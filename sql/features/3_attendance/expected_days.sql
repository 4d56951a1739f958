-- Counted days of each timeline and week, and those of them at a school that takes attendance by period.
select
    attendance_timelines.timeline_no,
    weeks.week,
    sum(at_end.days_before - at_start.days_before)::integer as days,
    sum(case when schools.periods_per_day is not null then at_end.days_before - at_start.days_before else 0 end)::integer
        as period_days
from attendance_timelines
join attendance_segments using (timeline_no)
join weeks
    on weeks.school_no = attendance_timelines.school_no
    and weeks.week <= attendance_timelines.last_week
    and weeks.from_date < attendance_segments.until_date
    and weeks.as_of > attendance_segments.from_date
join school_days as at_start
    on at_start.school_no = attendance_segments.school_no
    and at_start.view = attendance_segments.view
    and at_start.date = greatest(weeks.from_date, attendance_segments.from_date)
join school_days as at_end
    on at_end.school_no = attendance_segments.school_no
    and at_end.view = attendance_segments.view
    and at_end.date = least(weeks.as_of, attendance_segments.until_date)
join schools on schools.school_no = attendance_segments.school_no
group by attendance_timelines.timeline_no, weeks.week
