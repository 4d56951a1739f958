-- Every assignment of every timeline, with the week it counts to; see timelines for weeks that are folded into one.
-- Timeline, course and week are one number, line_week, because one column is stored, grouped and sorted faster than three.
-- moves_course: whether its course has to be followed in this timeline, or is as the final one shows it.
select
    line_week(timelines.timeline_no, courses.course_no, greatest(week_of_date.week, timelines.fold_week)) as line_week,
    known_grades.mark,
    known_grades.is_test,
    known_grades.is_homework,
    known_grades.date,
    timelines.last_week::utinyint as last_week,
    timelines.dirty_row is null or dirty_courses.row_key is not null as moves_course
from known_grades
join timelines using (student_no)
join week_of_date
    on week_of_date.school_no = timelines.school_no
    and week_of_date.date = known_grades.date
join courses using (course_id)
left join dirty_courses
    on dirty_courses.row_key = timelines.dirty_row
    and dirty_courses.course_no = courses.course_no
where week_of_date.week <= timelines.last_week
  and known_grades.recorded_at < timelines.view
  and (known_grades.superseded_at is null or known_grades.superseded_at >= timelines.view)
