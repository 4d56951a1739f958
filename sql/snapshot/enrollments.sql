select
    students.student_no,
    schools.school_no,
    source.school_year,
    source.grade_level,
    source.entry_date,
    source.exit_date,
    source.exit_reason,
    source.recorded_at,
    source.exit_recorded_at,
    source.superseded_at
from source
inner join students on students.student_id = source.student_id
inner join schools on schools.school_id = source.school_id
