-- What each timeline of a slice shows in each week, without gaps: attendance, grades and courses side by side, in small
-- types because they are sorted next. valid_base: the student at a school whose row of that week is taken from here; null
-- where another timeline has it. place: how many weeks of the timeline come before. last_work: a day more than the day of
-- the last marked work; 0 without.
with school_weeks as (
    select * from expected_days where in_slice(timeline_no)
),

missed as (
    select * from attendance_weeks where in_slice(timeline_no)
),

graded as (
    select * from grade_weeks where in_slice(timeline_week >> 6)
),

taken as (
    select * from course_features where row_key between getvariable('first_row') and getvariable('last_row')
)

select
    timelines.timeline_no,
    if((timelines.valid_weeks >> school_weeks.week) & 1 = 1, timelines.base_no, null) as valid_base,
    (school_weeks.week - timelines.fold_week)::utinyint as place,
    school_weeks.week::utinyint as week,
    days::utinyint as days,
    days_4::utinyint as days_4,
    days_8::utinyint as days_8,
    days_ytd::smallint as days_ytd,
    period_days_4::utinyint as period_days_4,
    weeks_enrolled::utinyint as weeks_enrolled,
    coalesce(missed.unexcused_parts, 0) as unexcused_parts,
    coalesce(missed.excused_parts, 0) as excused_parts,
    coalesce(missed.monday_friday_parts, 0) as monday_friday_parts,
    coalesce(missed.tardies * 4096 + missed.partial_days, 0)::integer as tardies,
    coalesce(missed.last_run, 0) as last_run,
    coalesce(missed.longest_run, 0) as longest_run,
    coalesce(graded.marks, 0) as marks,
    graded.least_mark,
    coalesce(graded.assignments, 0) as assignments,
    coalesce(graded.test_marks, 0) as test_marks,
    coalesce(graded.homework_marks, 0) as homework_marks,
    coalesce(graded.last_work + 1, 0) as last_work,
    taken.* exclude (row_key)
from school_weeks
join timelines using (timeline_no)
left join missed
    on missed.timeline_no = school_weeks.timeline_no
    and missed.week = school_weeks.week
left join graded
    on graded.timeline_week = school_weeks.timeline_no::bigint * 64 + school_weeks.week
left join taken
    on taken.row_key = timelines.base_no * 64 + school_weeks.week
    and (timelines.valid_weeks >> school_weeks.week) & 1 = 1
