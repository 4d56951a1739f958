-- What each timeline shows in each week, without gaps: attendance, grades and courses side by side. rate: attendance of
-- the week in millionths; weekly_mean: the mean mark in units of 1e-5 points; both null without data.
select
    timelines.timeline_no,
    timelines.base_no * 64 + expected_days.week as row_key,
    (timelines.valid_weeks >> expected_days.week) & 1 = 1 as is_valid,
    expected_days.* exclude (timeline_no),
    coalesce(attendance_weeks.unexcused_parts, 0) as unexcused_parts,
    coalesce(attendance_weeks.excused_parts, 0) as excused_parts,
    coalesce(attendance_weeks.monday_friday_parts, 0) as monday_friday_parts,
    coalesce(attendance_weeks.tardies * 4096 + attendance_weeks.partial_days, 0) as tardies,
    attendance_weeks.last_run,
    attendance_weeks.longest_run,
    round(1e6 - 1e6 * coalesce(attendance_weeks.unexcused_parts + attendance_weeks.excused_parts, 0)
        / (27720 * nullif(expected_days.days, 0)::double))::integer as rate,
    grade_weeks.* exclude (timeline_no, week),
    round(1000 * (grade_weeks.marks::bigint >> 12)::double / nullif(grade_weeks.marks::bigint & 4095, 0))::integer as weekly_mean,
    course_features.* exclude (row_key)
from timelines
join expected_days using (timeline_no)
left join attendance_weeks
    on attendance_weeks.timeline_no = expected_days.timeline_no
    and attendance_weeks.week = expected_days.week
left join grade_weeks
    on grade_weeks.timeline_no = expected_days.timeline_no
    and grade_weeks.week = expected_days.week
left join course_features
    on course_features.row_key = timelines.base_no * 64 + expected_days.week
    and (timelines.valid_weeks >> expected_days.week) & 1 = 1
