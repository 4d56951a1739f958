-- Students without names and without protected attributes. `person` groups rows of the same human being where a
-- source has several (OULAD: one student per enrolment).
select
    cast(row_number() over (order by district_id) as integer) as student_no,
    id as student_id,
    district_id,
    grade_level,
    coalesce(json_extract_string(student_metadata, '$.person'), district_id) as person,
    coalesce(student_metadata, '{}') as metadata
from source
