-- Every assignment of every timeline, with the week it counts to; see timelines for weeks that are folded into one.
select
    timelines.timeline_no,
    courses.course_no,
    greatest(week_of_date.week, timelines.fold_week)::utinyint as week,
    known_grades.mark,
    known_grades.kind,
    known_grades.date
from known_grades
join timelines using (student_no)
join week_of_date
    on week_of_date.school_no = timelines.school_no
    and week_of_date.date = known_grades.date
join courses using (course_id)
where week_of_date.week <= timelines.last_week
  and known_grades.recorded_at < timelines.view
  and (known_grades.superseded_at is null or known_grades.superseded_at >= timelines.view)
