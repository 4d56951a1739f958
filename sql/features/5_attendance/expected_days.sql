-- One row per timeline and week, without gaps from fold_week on: the counted days of the week and of the spans that
-- end with it, from the numbers of days before each bound.
with parts as (
    select
        attendance_segments.timeline_no,
        counted_weeks.week,
        attendance_segments.is_only,
        greatest(least(until_days, end_days) - greatest(since_1, start_days), 0) as days,
        greatest(least(until_days, end_days) - greatest(since_4, start_days), 0) as days_4,
        greatest(least(until_days, end_days) - greatest(since_8, start_days), 0) as days_8,
        greatest(least(until_days, end_days) - start_days, 0) as days_ytd,
        case
            when schools.periods_per_day is null then 0
            else greatest(least(until_days, end_days) - greatest(since_4, start_days), 0)
        end as period_days_4,
        greatest(least(counted_weeks.week, attendance_segments.last_week) + 1 - attendance_segments.first_week, 0)
            as weeks_enrolled
    from attendance_segments
    join counted_weeks using (home_no, school_no, view)
    join schools on schools.school_no = attendance_segments.school_no
    join timelines on timelines.timeline_no = attendance_segments.timeline_no
    where counted_weeks.week between timelines.fold_week and timelines.last_week
)

select * exclude (is_only) from parts where is_only

union all

select
    timeline_no,
    week,
    sum(days)::integer,
    sum(days_4)::integer,
    sum(days_8)::integer,
    sum(days_ytd)::integer,
    sum(period_days_4)::integer,
    sum(weeks_enrolled)::integer
from parts
where not is_only
group by timeline_no, week

union all

select timelines.timeline_no, weeks.week, 0, 0, 0, 0, 0, 0
from timelines
anti join attendance_segments using (timeline_no)
join weeks
    on weeks.school_no = timelines.school_no
    and weeks.week between timelines.fold_week and timelines.last_week
