-- The 29 attendance and grade features of every row of a slice of students; variables: first_row and last_row.
-- Timelines follow one another, week by week and without gaps, so that what was four weeks ago stands four rows above:
-- windows without a partition read it in passing, at a tenth of the cost of windows that sort; see the macros. Numbers
-- that are packed as sum × 4096 + count are taken apart after they are added. Doubles hold whole numbers here: exact in
-- any order, and fast. A line through eight weeks wants n, Σx, Σx², Σy, Σxy, Σy², x counting weeks back from this one:
-- weeks with data add 1 × 2³² + y, those without add nothing, so that two of these come out of each sum.
with in_order as (
    select *, unexcused_parts + excused_parts as missed
    from timeline_weeks
    where row_key between getvariable('first_row') and getvariable('last_row')
    order by timeline_no, week
),

passed as (
    select
        row_key,
        is_valid,
        place,
        week,
        weeks_enrolled,
        days,
        days_4,
        days_8,
        days_ytd,
        period_days_4,
        gpa_current,
        gpa_change_8w,
        courses_failing,
        courses_failing_share,
        courses_declining,
        course_percentile_4w,
        unexcused_parts,
        excused_parts,
        missed,
        marks,
        assignments > 0 as has_grades,
        last_4(unexcused_parts) as unexcused_4,
        last_4(excused_parts) as excused_4,
        last_4(tardies) as tardies_4,
        last_8(missed) as missed_8,
        last_8(monday_friday_parts) as monday_friday_8,
        so_far(missed) as missed_so_far,
        greatest_so_far(timeline_no, last_run) as last_run,
        greatest_so_far(timeline_no, longest_run) as longest_run,
        so_far(marks) as marks_so_far,
        last_4(marks)::bigint as marks_4,
        last_4(assignments) as assignments_4,
        least_4(least_mark) as least_4,
        last_8(test_marks)::bigint as tests_8,
        last_8(homework_marks)::bigint as homework_8,
        greatest_so_far(timeline_no, last_work) as last_work,
        last_8(rate_line) as rate_sum,
        moment_8(rate_line) as rate_moment,
        inertia_8(rate_line) as rate_inertia,
        last_8(rate_square) as rate_yy,
        last_8(mean_line) as mean_sum,
        moment_8(mean_line) as mean_moment,
        inertia_8(mean_line) as mean_inertia,
        last_8(mean_square) as mean_yy
    from in_order
),

since_start as (
    select
        *,
        since_start(place = 0, missed_so_far, missed) as missed_ytd,
        since_start(place = 0, marks_so_far, marks)::bigint as marks_ytd
    from passed
),

valid as (
    select
        *,
        marks_4 >> 12 as mark_sum_4,
        nullif(marks_4 & 4095, 0) as marked_4,
        marks_ytd >> 12 as mark_sum_ytd,
        nullif(marks_ytd & 4095, 0) as marked_ytd,
        (tests_8 >> 12) / nullif(tests_8 & 4095, 0) as test_mean,
        (homework_8 >> 12) / nullif(homework_8 & 4095, 0) as homework_mean
    from since_start
    where is_valid
),

lines as (
    select
        *,
        floor(rate_sum / 4294967296) as rate_n,
        rate_sum - floor(rate_sum / 4294967296) * 4294967296 as rate_y,
        floor(rate_moment / 4294967296) as rate_x,
        rate_moment - floor(rate_moment / 4294967296) * 4294967296 as rate_xy,
        floor(rate_inertia / 4294967296) as rate_xx,
        floor(mean_sum / 4294967296) as mean_n,
        mean_sum - floor(mean_sum / 4294967296) * 4294967296 as mean_y,
        floor(mean_moment / 4294967296) as mean_x,
        mean_moment - floor(mean_moment / 4294967296) * 4294967296 as mean_xy,
        floor(mean_inertia / 4294967296) as mean_xx
    from valid
)

select
    row_key,
    week,
    weeks_enrolled,
    days > 0 as has_attendance,
    has_grades,
    1 - (unexcused_parts + excused_parts) / (27720e0 * nullif(days, 0)) as attendance_rate_1w,
    1 - (unexcused_4 + excused_4) / (27720e0 * nullif(days_4, 0)) as attendance_rate_4w,
    1 - missed_8 / (27720e0 * nullif(days_8, 0)) as attendance_rate_8w,
    1 - missed_ytd / (27720e0 * nullif(days_ytd, 0)) as attendance_rate_ytd,
    case when days > 0 then unexcused_parts / 27720e0 end as unexcused_absences_1w,
    case when days_4 > 0 then unexcused_4 / 27720e0 end as unexcused_absences_4w,
    case when days_4 > 0 then excused_4 / 27720e0 end as excused_absences_4w,
    case when days_4 > 0 then tardies_4 >> 12 end as tardies_4w,
    case when days_ytd > 0 then if(last_run // 1000 = days_ytd, last_run % 1000, 0) end as current_absence_streak,
    case when days_ytd > 0 then longest_run end as longest_absence_streak_ytd,
    monday_friday_8 / nullif(missed_8, 0) as monday_friday_absence_share_8w,
    (tardies_4 & 4095) / nullif(period_days_4, 0) as partial_day_share_4w,
    case when rate_n >= 3 then (rate_x * rate_y - rate_n * rate_xy) / (rate_n * rate_xx - rate_x * rate_x) / 1e6 end
        as attendance_trend_8w,
    case when rate_n >= 2 then sqrt((rate_n * rate_yy - rate_y * rate_y) / (rate_n * (rate_n - 1))) / 1e6 end
        as attendance_volatility_8w,
    mark_sum_4 / marked_4 / 100 as grade_mean_4w,
    mark_sum_ytd / marked_ytd / 100 as grade_mean_ytd,
    case when mean_n >= 3 then (mean_x * mean_y - mean_n * mean_xy) / (mean_n * mean_xx - mean_x * mean_x) / 1e5 end
        as grade_trend_8w,
    case when mean_n >= 2 then sqrt((mean_n * mean_yy - mean_y * mean_y) / (mean_n * (mean_n - 1))) / 1e5 end
        as grade_volatility_8w,
    least_4 / 100 as grade_min_4w,
    gpa_current,
    gpa_change_8w,
    courses_failing,
    courses_failing_share,
    courses_declining,
    course_percentile_4w,
    case when assignments_4 > 0 then assignments_4 & 4095 end as missing_work_4w,
    case when last_work > 0 then assignments_4 >> 12 end as assignments_4w,
    if(last_work > 1, last_work - 1, null) as last_work,
    (test_mean - homework_mean) / 100 as test_minus_homework_8w
from lines
