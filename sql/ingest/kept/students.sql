-- What is known of the file's students, in the file's own columns.
select
    latest.n,
    first_name,
    last_name,
    grade_level,
    date_of_birth,
    gender,
    ethnicity,
    socioeconomic_status,
    parent_contact,
    enrollment_date,
    student_metadata
from stored
join latest on latest.id = cast(stored.id as uuid)
