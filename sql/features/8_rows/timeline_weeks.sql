-- What each timeline shows in each week, without gaps: attendance, grades and courses side by side. place: how many
-- weeks of the timeline come before. rate_line and mean_line: 2³² + the week's attendance in millionths, and its mean
-- mark in units of 1e-5 points; 0 without data. last_work: a day more than the day of the last marked work; 0 without.
with joined as (
    select
        timelines.timeline_no,
        timelines.base_no * 64 + expected_days.week as row_key,
        (timelines.valid_weeks >> expected_days.week) & 1 = 1 as is_valid,
        (expected_days.week - timelines.fold_week)::utinyint as place,
        expected_days.* exclude (timeline_no),
        coalesce(attendance_weeks.unexcused_parts, 0) as unexcused_parts,
        coalesce(attendance_weeks.excused_parts, 0) as excused_parts,
        coalesce(attendance_weeks.monday_friday_parts, 0) as monday_friday_parts,
        coalesce(attendance_weeks.tardies * 4096 + attendance_weeks.partial_days, 0) as tardies,
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
),

measured as (
    select
        * replace (
            week::utinyint as week,
            days::utinyint as days,
            days_4::utinyint as days_4,
            days_8::utinyint as days_8,
            days_ytd::smallint as days_ytd,
            period_days_4::utinyint as period_days_4,
            weeks_enrolled::utinyint as weeks_enrolled
        ),
        round(1e6 - 1e6 * (unexcused_parts + excused_parts) / (27720e0 * nullif(days, 0)::double)) as rate,
        round(1000 * (marks::bigint >> 12)::double / nullif(marks::bigint & 4095, 0)) as mean
    from joined
)

select
    * exclude (rate, mean),
    coalesce(4294967296 + rate, 0) as rate_line,
    coalesce(rate * rate, 0) as rate_square,
    coalesce(4294967296 + mean, 0) as mean_line,
    coalesce(mean * mean, 0) as mean_square
from measured
