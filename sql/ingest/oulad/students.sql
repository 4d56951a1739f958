-- Canonical students: one registration is one student; `person` says which of them are the same human.
select
    district_id,
    gender,
    imd_band as socioeconomic_status,
    least(registered_on, starts) as enrollment_date,
    json_object(
        'person', person, 'studied_credits', studied_credits, 'previous_attempts', previous_attempts, 'module', module
    ) as student_metadata
from registered
order by district_id
