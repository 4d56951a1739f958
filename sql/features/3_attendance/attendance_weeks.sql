-- One row per timeline and week, without gaps. Whole numbers are held as doubles: they add exactly, in any order,
-- and faster than wide integers. rate: attendance of the week in millionths, null without a counted day.
with missed as (
    select
        timeline_no,
        week,
        sum(unexcused_parts) as unexcused_parts,
        sum(excused_parts) as excused_parts,
        sum(unexcused_parts + excused_parts) filter (isodow(date) in (1, 5)) as monday_friday_parts,
        sum(tardies) as tardies,
        count(*) filter (unexcused_parts + excused_parts > 0 and not whole_day) as partial_days
    from absences
    group by timeline_no, week
)

select
    attendance_timelines.timeline_no,
    attendance_timelines.base_no,
    attendance_timelines.valid_weeks,
    weeks.week,
    (expected_days.days is not null)::integer::double as enrolled,
    coalesce(expected_days.days, 0)::double as days,
    coalesce(expected_days.period_days, 0)::double as period_days,
    coalesce(missed.unexcused_parts, 0)::double as unexcused_parts,
    coalesce(missed.excused_parts, 0)::double as excused_parts,
    coalesce(missed.unexcused_parts + missed.excused_parts, 0)::double as missed_parts,
    coalesce(missed.monday_friday_parts, 0)::double as monday_friday_parts,
    coalesce(missed.tardies, 0)::double as tardies,
    coalesce(missed.partial_days, 0)::double as partial_days,
    coalesce(absence_runs.last_run, 0) as last_run,
    coalesce(absence_runs.longest_run, 0) as longest_run,
    round(1e6 - 1e6 * coalesce(missed.unexcused_parts + missed.excused_parts, 0)::double
        / (27720 * nullif(expected_days.days, 0))) as rate
from attendance_timelines
join weeks
    on weeks.school_no = attendance_timelines.school_no
    and weeks.week <= attendance_timelines.last_week
left join expected_days
    on expected_days.timeline_no = attendance_timelines.timeline_no
    and expected_days.week = weeks.week
left join missed
    on missed.timeline_no = attendance_timelines.timeline_no
    and missed.week = weeks.week
left join absence_runs
    on absence_runs.timeline_no = attendance_timelines.timeline_no
    and absence_runs.week = weeks.week
