-- What is known of the file's results, in the file's own columns.
select latest.n, course_name, grade_letter, due_date, weight, assignment_type
from stored
join latest on latest.id = cast(stored.id as uuid)
where stored.superseded_at is null
