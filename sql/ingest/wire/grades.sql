-- Results on their way to the store, as text that both databases read. A past version has an identity of its own.
select
    hex(case when superseded_at is null then id else version_of(id, recorded_at) end) as id,
    hex(student_id) as student_id,
    course_id,
    course_name,
    assignment,
    grade_value,
    grade_letter,
    cast(submission_date as varchar) as submission_date,
    cast(due_date as varchar) as due_date,
    weight,
    assignment_type,
    moment_text(recorded_at) as recorded_at,
    moment_text(superseded_at) as superseded_at
from outgoing
order by student_id, course_id, submission_date
