select
    students.student_no,
    source.date,
    cast(source.period as smallint) as period,
    source.status,
    source.recorded_at,
    source.superseded_at
from source
inner join students on students.student_id = source.student_id
