-- What each timeline shows in each week, without gaps: attendance, grades and courses side by side, in the smallest types
-- that hold them. valid_base: the student at a school whose row of that week is taken from here; null where another
-- timeline has it. place: how many weeks of the timeline come before. last_work: a day more than the day of the last
-- marked work; 0 without.
select
    timelines.timeline_no,
    if((timelines.valid_weeks >> expected_days.week) & 1 = 1, timelines.base_no, null) as valid_base,
    (expected_days.week - timelines.fold_week)::utinyint as place,
    expected_days.week::utinyint as week,
    days::utinyint as days,
    days_4::utinyint as days_4,
    days_8::utinyint as days_8,
    days_ytd::smallint as days_ytd,
    period_days_4::utinyint as period_days_4,
    weeks_enrolled::utinyint as weeks_enrolled,
    coalesce(attendance_weeks.unexcused_parts, 0) as unexcused_parts,
    coalesce(attendance_weeks.excused_parts, 0) as excused_parts,
    coalesce(attendance_weeks.monday_friday_parts, 0) as monday_friday_parts,
    coalesce(attendance_weeks.tardies * 4096 + attendance_weeks.partial_days, 0)::integer as tardies,
    coalesce(attendance_weeks.last_run, 0) as last_run,
    coalesce(attendance_weeks.longest_run, 0) as longest_run,
    coalesce(grade_weeks.marks, 0) as marks,
    grade_weeks.least_mark,
    coalesce(grade_weeks.assignments, 0) as assignments,
    coalesce(grade_weeks.test_marks, 0) as test_marks,
    coalesce(grade_weeks.homework_marks, 0) as homework_marks,
    coalesce(grade_weeks.last_work + 1, 0) as last_work,
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
