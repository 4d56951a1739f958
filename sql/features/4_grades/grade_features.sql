-- The 15 grade features of every row, keyed by row_key.
with windows as (
    select
        base_no::bigint * 128 + week as row_key,
        (valid_weeks >> week) & 1 = 1 as is_valid,
        as_of,
        assignments,
        courses,
        grade_points,
        failing,
        compared,
        declining,
        standing,
        ranked,
        sum(marked) over weeks_4 as marked_4,
        sum(marks) over weeks_4 as marks_4,
        sum(marked) over year_to_date as marked_ytd,
        sum(marks) over year_to_date as marks_ytd,
        min(least_mark) over weeks_4 as least_4,
        sum(assignments) over weeks_4 as assignments_4,
        sum(assignments) over year_to_date as assignments_ytd,
        sum(missing) over weeks_4 as missing_4,
        sum(tests) over weeks_8 as tests_8,
        sum(test_marks) over weeks_8 as test_marks_8,
        sum(homeworks) over weeks_8 as homeworks_8,
        sum(homework_marks) over weeks_8 as homework_marks_8,
        max(last_marked) over year_to_date as last_marked,
        lag(grade_points / courses, 8) over by_week as earlier_gpa,
        count(weekly_mean) over weeks_8 as n,
        sum(case when weekly_mean is not null then week::double end) over weeks_8 as sx,
        sum(case when weekly_mean is not null then week::double * week end) over weeks_8 as sxx,
        sum(weekly_mean) over weeks_8 as sy,
        sum(weekly_mean * week) over weeks_8 as sxy,
        sum(weekly_mean * weekly_mean) over weeks_8 as syy
    from grade_weeks
    window
        by_week as (partition by timeline_no order by week),
        weeks_4 as (partition by timeline_no order by week rows between 3 preceding and current row),
        weeks_8 as (partition by timeline_no order by week rows between 7 preceding and current row),
        year_to_date as (partition by timeline_no order by week rows unbounded preceding)
)

select
    row_key,
    coalesce(assignments, 0) > 0 as has_grades,
    marks_4 / nullif(marked_4, 0) / 100 as grade_mean_4w,
    marks_ytd / nullif(marked_ytd, 0) / 100 as grade_mean_ytd,
    grade_points / courses as gpa_current,
    grade_points / courses - earlier_gpa as gpa_change_8w,
    case when n >= 3 then (n * sxy - sx * sy) / (n * sxx - sx * sx) / 1e4 end as grade_trend_8w,
    case when n >= 2 then sqrt((n * syy - sy * sy) / (n * (n - 1))) / 1e4 end as grade_volatility_8w,
    least_4 / 100 as grade_min_4w,
    case when courses > 0 then failing end as courses_failing,
    failing / nullif(courses, 0) as courses_failing_share,
    case when compared > 0 then declining end as courses_declining,
    case when assignments_4 > 0 then missing_4 end as missing_work_4w,
    case when assignments_ytd > 0 then coalesce(assignments_4, 0) end as assignments_4w,
    case when last_marked is not null then least(as_of - 1 - last_marked, 60) end as days_since_graded_work,
    (test_marks_8 / nullif(tests_8, 0) - homework_marks_8 / nullif(homeworks_8, 0)) / 100 as test_minus_homework_8w,
    standing / nullif(ranked, 0) / 1e9 as course_percentile_4w
from windows
where is_valid
