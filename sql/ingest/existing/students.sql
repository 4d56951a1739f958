-- The students the store has, to compare with.
select
    cast(id as uuid) as id,
    hash(
        first_name, last_name, cast(grade_level as integer), cast(date_of_birth as date), gender, ethnicity,
        socioeconomic_status, parent_contact, cast(enrollment_date as date), json_leaves(student_metadata)
    ) as content
from stored
