-- The 29 attendance and grade features of every row. Windows run over the rows of timeline_weeks, which has every week
-- of the school: four rows are four school weeks. Numbers that are packed as sum × 4096 + count are taken apart after
-- they are added. Sums are of doubles that hold whole numbers: exact in any order, and fast. A line through eight weeks
-- wants n, Σx, Σx², Σy, Σxy, Σy², x counting weeks back from this one: weeks with data add 1 × 2³² + y, those without
-- add nothing, so that two of these come out of each sum.
with windows as (
    select
        * exclude (timeline_no, assignments, test_marks, homework_marks, monday_friday_parts, tardies, last_run,
            longest_run, last_work, rate_square, mean_square),
        unexcused_parts + lag(unexcused_parts, 1, 0) over by_week + lag(unexcused_parts, 2, 0) over by_week
            + lag(unexcused_parts, 3, 0) over by_week as unexcused_4,
        excused_parts + lag(excused_parts, 1, 0) over by_week + lag(excused_parts, 2, 0) over by_week
            + lag(excused_parts, 3, 0) over by_week as excused_4,
        tardies + lag(tardies, 1, 0) over by_week + lag(tardies, 2, 0) over by_week
            + lag(tardies, 3, 0) over by_week as tardies_4,
        sum((unexcused_parts + excused_parts)::double) over weeks_8 as missed_8,
        sum((unexcused_parts + excused_parts)::double) over year_to_date as missed_ytd,
        sum(monday_friday_parts::double) over weeks_8 as monday_friday_8,
        max(last_run) over year_to_date as last_run,
        max(longest_run) over year_to_date as longest_run,
        assignments > 0 as has_grades,
        (sum(marks) over year_to_date)::bigint as marks_ytd,
        (sum(marks) over weeks_4)::bigint as marks_4,
        (sum(assignments::double) over weeks_4)::integer as assignments_4,
        min(least_mark) over weeks_4 as least_4,
        (sum(test_marks) over weeks_8)::bigint as tests_8,
        (sum(homework_marks) over weeks_8)::bigint as homework_8,
        max(last_work) over year_to_date as last_work,
        lag(rate_line, 1, 0) over by_week as rate_1,
        lag(rate_line, 2, 0) over by_week as rate_2,
        lag(rate_line, 3, 0) over by_week as rate_3,
        lag(rate_line, 4, 0) over by_week as rate_4,
        lag(rate_line, 5, 0) over by_week as rate_5,
        lag(rate_line, 6, 0) over by_week as rate_6,
        lag(rate_line, 7, 0) over by_week as rate_7,
        sum(rate_square) over weeks_8 as rate_yy,
        lag(mean_line, 1, 0) over by_week as mean_1,
        lag(mean_line, 2, 0) over by_week as mean_2,
        lag(mean_line, 3, 0) over by_week as mean_3,
        lag(mean_line, 4, 0) over by_week as mean_4,
        lag(mean_line, 5, 0) over by_week as mean_5,
        lag(mean_line, 6, 0) over by_week as mean_6,
        lag(mean_line, 7, 0) over by_week as mean_7,
        sum(mean_square) over weeks_8 as mean_yy
    from timeline_weeks
    window
        by_week as (partition by timeline_no order by week),
        weeks_4 as (partition by timeline_no order by week rows between 3 preceding and current row),
        weeks_8 as (partition by timeline_no order by week rows between 7 preceding and current row),
        year_to_date as (partition by timeline_no order by week rows unbounded preceding)
),

valid as (
    select
        *,
        marks_4 >> 12 as mark_sum_4,
        nullif(marks_4 & 4095, 0) as marked_4,
        marks_ytd >> 12 as mark_sum_ytd,
        nullif(marks_ytd & 4095, 0) as marked_ytd,
        (tests_8 >> 12) / nullif(tests_8 & 4095, 0) as test_mean,
        (homework_8 >> 12) / nullif(homework_8 & 4095, 0) as homework_mean,
        rate_line + rate_1 + rate_2 + rate_3 + rate_4 + rate_5 + rate_6 + rate_7 as rate_sum,
        rate_1 + 2 * rate_2 + 3 * rate_3 + 4 * rate_4 + 5 * rate_5 + 6 * rate_6 + 7 * rate_7 as rate_moment,
        rate_1 + 4 * rate_2 + 9 * rate_3 + 16 * rate_4 + 25 * rate_5 + 36 * rate_6 + 49 * rate_7 as rate_inertia,
        mean_line + mean_1 + mean_2 + mean_3 + mean_4 + mean_5 + mean_6 + mean_7 as mean_sum,
        mean_1 + 2 * mean_2 + 3 * mean_3 + 4 * mean_4 + 5 * mean_5 + 6 * mean_6 + 7 * mean_7 as mean_moment,
        mean_1 + 4 * mean_2 + 9 * mean_3 + 16 * mean_4 + 25 * mean_5 + 36 * mean_6 + 49 * mean_7 as mean_inertia
    from windows
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
    coalesce(has_grades, false) as has_grades,
    1 - (unexcused_parts + excused_parts) / (27720e0 * nullif(days, 0)) as attendance_rate_1w,
    1 - (unexcused_4 + excused_4) / (27720e0 * nullif(days_4, 0)) as attendance_rate_4w,
    1 - missed_8 / (27720e0 * nullif(days_8, 0)) as attendance_rate_8w,
    1 - missed_ytd / (27720e0 * nullif(days_ytd, 0)) as attendance_rate_ytd,
    case when days > 0 then unexcused_parts / 27720e0 end as unexcused_absences_1w,
    case when days_4 > 0 then unexcused_4 / 27720e0 end as unexcused_absences_4w,
    case when days_4 > 0 then excused_4 / 27720e0 end as excused_absences_4w,
    case when days_4 > 0 then tardies_4 >> 12 end as tardies_4w,
    case when days_ytd > 0 then if(last_run // 1000 = days_ytd, last_run % 1000, 0) end as current_absence_streak,
    case when days_ytd > 0 then coalesce(longest_run, 0) end as longest_absence_streak_ytd,
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
    case when last_work is not null then coalesce(assignments_4 >> 12, 0) end as assignments_4w,
    nullif(last_work, 0) as last_work,
    (test_mean - homework_mean) / 100 as test_minus_homework_8w
from lines
