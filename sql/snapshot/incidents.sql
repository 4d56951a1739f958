select
    students.student_no,
    source.incident_date,
    cast(source.severity_level as smallint) as severity_level,
    source.incident_type,
    source.resolution,
    source.recorded_at,
    source.superseded_at
from source
inner join students on students.student_id = source.student_id
