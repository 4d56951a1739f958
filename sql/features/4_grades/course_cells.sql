-- What each timeline shows of a course in a week: sums of whole numbers over its assignments.
select
    grade_timelines.timeline_no,
    courses.course_no,
    week_of_date.week,
    count(known_grades.mark)::integer as marked,
    coalesce(sum(known_grades.mark), 0)::integer as marks,
    min(known_grades.mark) as least_mark,
    count(*)::integer as assignments,
    count(*) filter (coalesce(known_grades.mark, 0) = 0)::integer as missing,
    count(known_grades.mark) filter (known_grades.kind = 'test')::integer as tests,
    coalesce(sum(known_grades.mark) filter (known_grades.kind = 'test'), 0)::integer as test_marks,
    count(known_grades.mark) filter (known_grades.kind = 'homework')::integer as homeworks,
    coalesce(sum(known_grades.mark) filter (known_grades.kind = 'homework'), 0)::integer as homework_marks,
    max(known_grades.date) filter (known_grades.mark is not null) as last_marked
from known_grades
join grade_timelines using (student_no)
join week_of_date
    on week_of_date.school_no = grade_timelines.school_no
    and week_of_date.date = known_grades.date
join courses using (course_id)
where week_of_date.week <= grade_timelines.last_week
  and known_grades.recorded_at < grade_timelines.view
  and (known_grades.superseded_at is null or known_grades.superseded_at >= grade_timelines.view)
group by grade_timelines.timeline_no, courses.course_no, week_of_date.week
