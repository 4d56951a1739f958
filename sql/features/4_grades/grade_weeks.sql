-- One row per timeline and week, without gaps. Whole numbers are held as doubles, which add exactly in any order.
-- weekly_mean: the mean mark of the week in units of 1e-4 points, null without marked work.
with sums as (
    select
        timeline_no,
        week,
        sum(marked)::double as marked,
        sum(marks)::double as marks,
        min(least_mark) as least_mark,
        sum(assignments)::double as assignments,
        sum(missing)::double as missing,
        sum(tests)::double as tests,
        sum(test_marks)::double as test_marks,
        sum(homeworks)::double as homeworks,
        sum(homework_marks)::double as homework_marks,
        max(last_marked) as last_marked
    from course_cells
    group by timeline_no, week
)

select
    grade_timelines.timeline_no,
    grade_timelines.base_no,
    grade_timelines.valid_weeks,
    weeks.week,
    weeks.as_of,
    sums.* exclude (timeline_no, week),
    round(100 * sums.marks / nullif(sums.marked, 0)) as weekly_mean,
    course_features.courses,
    course_features.grade_points,
    course_features.failing,
    course_features.compared,
    course_features.declining,
    course_features.standing,
    course_features.ranked
from grade_timelines
join weeks
    on weeks.school_no = grade_timelines.school_no
    and weeks.week <= grade_timelines.last_week
left join sums
    on sums.timeline_no = grade_timelines.timeline_no
    and sums.week = weeks.week
left join course_features
    on course_features.timeline_no = grade_timelines.timeline_no
    and course_features.week = weeks.week
