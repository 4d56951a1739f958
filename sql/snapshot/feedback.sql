-- What people told of scores, by the student and the day of the score; what they wrote in words stays in the store.
select
    students.student_no,
    source.as_of,
    source.feedback_type,
    source.outcome_type,
    source.outcome_date,
    source.created_at as told_at
from source
inner join students on students.student_id = source.student_id
