-- Students on their way to the store, as text that both databases read.
select hex(id) as id, district_id, first_name, last_name, grade_level, cast(date_of_birth as varchar) as date_of_birth,
    gender, ethnicity, socioeconomic_status, parent_contact, cast(enrollment_date as varchar) as enrollment_date,
    student_metadata
from outgoing
order by district_id
