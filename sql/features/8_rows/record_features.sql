-- The 29 attendance and grade features of every row of a slice of students; variables: first_row and last_row. Those with
-- a valid_base are rows of the store.
-- Timelines follow one another, week by week and without gaps, so that what was four weeks ago stands four rows above:
-- windows without a partition read it in passing, at a tenth of the cost of windows that sort; see the macros. Numbers
-- that are packed as sum × 4096 + count are taken apart after they are added. Doubles hold whole numbers here: exact in
-- any order, and fast. A line through eight weeks wants n, Σx, Σx², Σy, Σxy, Σy², x counting weeks back from this one:
-- weeks with data add 1 × 2³² + y, those without add nothing, so that two of these come out of each sum. y is the week's
-- attendance in millionths, and its mean mark in units of 1e-5 points.
with in_order as (
    select *
    from timeline_weeks
    order by timeline_no, week
),

measured as (
    select
        *,
        unexcused_parts + excused_parts as missed,
        round(1e6 - 1e6 * (unexcused_parts + excused_parts) / (27720e0 * nullif(days, 0)::double)) as rate,
        round(1000 * (marks::bigint >> 12)::double / nullif(marks::bigint & 4095, 0)) as mean
    from in_order
),

points as (
    select
        *,
        coalesce(4294967296 + rate, 0) as rate_line,
        coalesce(rate * rate, 0) as rate_square,
        coalesce(4294967296 + mean, 0) as mean_line,
        coalesce(mean * mean, 0) as mean_square
    from measured
),

two_weeks as (
    select
        *,
        sums(unexcused_parts, 1) as unexcused_2,
        sums(excused_parts, 1) as excused_2,
        sums(monday_friday_parts, 1) as monday_friday_2,
        sums(tardies, 1) as tardies_2,
        sums(marks, 1) as marks_2,
        sums(assignments, 1) as assignments_2,
        lesser(least_mark, 1) as least_2,
        sums(test_marks, 1) as tests_2,
        sums(homework_marks, 1) as homework_2,
        back(rate_line, 1) as rate_moment_2,
        sums(rate_line, 1) as rate_sum_2,
        sums(rate_square, 1) as rate_yy_2,
        back(mean_line, 1) as mean_moment_2,
        sums(mean_line, 1) as mean_sum_2,
        sums(mean_square, 1) as mean_yy_2
    from points
),

four_weeks as (
    select
        *,
        sums(unexcused_2, 2) as unexcused_4,
        sums(excused_2, 2) as excused_4,
        sums(unexcused_2 + excused_2, 2) as missed_4,
        sums(monday_friday_2, 2) as monday_friday_4,
        sums(tardies_2, 2)::bigint as tardies_4,
        sums(marks_2, 2)::bigint as marks_4,
        sums(assignments_2, 2)::bigint as assignments_4,
        lesser(least_2, 2) as least_4,
        sums(tests_2, 2) as tests_4,
        sums(homework_2, 2) as homework_4,
        inertias(rate_moment_2, rate_moment_2, rate_sum_2, 2) as rate_inertia_4,
        moments(rate_moment_2, rate_sum_2, 2) as rate_moment_4,
        sums(rate_sum_2, 2) as rate_sum_4,
        sums(rate_yy_2, 2) as rate_yy_4,
        inertias(mean_moment_2, mean_moment_2, mean_sum_2, 2) as mean_inertia_4,
        moments(mean_moment_2, mean_sum_2, 2) as mean_moment_4,
        sums(mean_sum_2, 2) as mean_sum_4,
        sums(mean_yy_2, 2) as mean_yy_4
    from two_weeks
),

passed as (
    select
        *,
        sums(missed_4, 4) as missed_8,
        sums(monday_friday_4, 4) as monday_friday_8,
        so_far(missed) as missed_so_far,
        greatest_so_far(timeline_no, last_run) as latest_run,
        greatest_so_far(timeline_no, longest_run) as longest_run_ytd,
        so_far(marks) as marks_so_far,
        sums(tests_4, 4)::bigint as tests_8,
        sums(homework_4, 4)::bigint as homework_8,
        greatest_so_far(timeline_no, last_work) as latest_work,
        sums(rate_sum_4, 4) as rate_sum,
        moments(rate_moment_4, rate_sum_4, 4) as rate_moment,
        inertias(rate_inertia_4, rate_moment_4, rate_sum_4, 4) as rate_inertia,
        sums(rate_yy_4, 4) as rate_yy,
        sums(mean_sum_4, 4) as mean_sum,
        moments(mean_moment_4, mean_sum_4, 4) as mean_moment,
        inertias(mean_inertia_4, mean_moment_4, mean_sum_4, 4) as mean_inertia,
        sums(mean_yy_4, 4) as mean_yy
    from four_weeks
),

since_start as (
    select
        *,
        since_start(place = 0, missed_so_far, missed) as missed_ytd,
        since_start(place = 0, marks_so_far, marks)::bigint as marks_ytd
    from passed
),

totals as (
    select
        *,
        marks_4 >> 12 as mark_sum_4,
        nullif(marks_4 & 4095, 0) as marked_4,
        marks_ytd >> 12 as mark_sum_ytd,
        nullif(marks_ytd & 4095, 0) as marked_ytd,
        (tests_8 >> 12) / nullif(tests_8 & 4095, 0) as test_mean,
        (homework_8 >> 12) / nullif(homework_8 & 4095, 0) as homework_mean
    from since_start
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
    from totals
)

select
    valid_base * 64 + week as row_key,
    valid_base,
    week,
    weeks_enrolled,
    days > 0 as has_attendance,
    assignments > 0 as has_grades,
    1 - (unexcused_parts + excused_parts) / (27720e0 * nullif(days, 0)) as attendance_rate_1w,
    1 - (unexcused_4 + excused_4) / (27720e0 * nullif(days_4, 0)) as attendance_rate_4w,
    1 - missed_8 / (27720e0 * nullif(days_8, 0)) as attendance_rate_8w,
    1 - missed_ytd / (27720e0 * nullif(days_ytd, 0)) as attendance_rate_ytd,
    case when days > 0 then unexcused_parts / 27720e0 end as unexcused_absences_1w,
    case when days_4 > 0 then unexcused_4 / 27720e0 end as unexcused_absences_4w,
    case when days_4 > 0 then excused_4 / 27720e0 end as excused_absences_4w,
    case when days_4 > 0 then tardies_4 >> 12 end as tardies_4w,
    case when days_ytd > 0 then if(latest_run // 1000 = days_ytd, latest_run % 1000, 0) end as current_absence_streak,
    case when days_ytd > 0 then longest_run_ytd end as longest_absence_streak_ytd,
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
    case when latest_work > 0 then assignments_4 >> 12 end as assignments_4w,
    if(latest_work > 1, latest_work - 1, null) as last_work,
    (test_mean - homework_mean) / 100 as test_minus_homework_8w
from lines
