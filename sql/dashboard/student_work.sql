-- A student's work between two days, by course and day; the value is null where nothing was handed in.
select course_id, course_name, assignment, assignment_type, grade_value, submission_date, due_date, weight
from grades
where student_id = :student_id and superseded_at is null and submission_date >= :since and submission_date < :as_of
order by course_name, course_id, submission_date, assignment
