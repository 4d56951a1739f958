-- When students were supported, as far as it says nothing about how it went.
select
    students.student_no,
    source.start_date,
    source.length_weeks,
    source.state,
    source.created_at as recorded_at,
    source.updated_at as changed_at
from source
inner join students on students.student_id = source.student_id
