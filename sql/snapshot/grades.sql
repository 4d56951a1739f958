select
    students.student_no,
    source.course_id,
    source.assignment,
    source.grade_value,
    source.submission_date,
    source.due_date,
    source.weight,
    source.assignment_type,
    source.recorded_at,
    source.superseded_at
from source
inner join students on students.student_id = source.student_id
