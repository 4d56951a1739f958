-- Every assignment of a slice of timelines, with the week it counts to; see timelines for weeks that are folded into one.
-- Timeline, course and week are one number, line_week, because one column is stored, grouped and sorted faster than three.
-- line_weeks: the weeks, as bits, whose row takes the course from this timeline. They are the weeks with a row but for
-- those in which the course was known otherwise; these take it from the timeline of the dirty row.
with otherwise as (
    select
        row_key >> 6 as base_no,
        course_no,
        bit_or(1::bigint << (row_key & 63)) as weeks
    from dirty_courses
    where row_key between getvariable('first_row') and getvariable('last_row')
    group by row_key >> 6, course_no
)

select
    line_week(timelines.timeline_no, courses.course_no, greatest(week_of_date.week, timelines.fold_week)) as line_week,
    known_grades.mark,
    known_grades.is_test,
    known_grades.is_homework,
    known_grades.date,
    timelines.school_no,
    timelines.last_week::utinyint as last_week,
    timelines.row_weeks & if(
        timelines.dirty_row is null, ~coalesce(otherwise.weeks, 0), coalesce(otherwise.weeks, 0)
    ) as line_weeks
from known_grades
join timelines
    on timelines.student_no = known_grades.student_no
    and in_slice(timelines.timeline_no)
join week_of_date
    on week_of_date.school_no = timelines.school_no
    and week_of_date.date = known_grades.date
join courses using (course_id)
left join otherwise
    on otherwise.base_no = timelines.base_no
    and otherwise.course_no = courses.course_no
where student_in_slice(known_grades.student_no)
  and week_of_date.week <= timelines.last_week
  and known_grades.recorded_at < timelines.view
  and (known_grades.superseded_at is null or known_grades.superseded_at >= timelines.view)
