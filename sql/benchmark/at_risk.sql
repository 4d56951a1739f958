-- Every registration with what it came to: at risk is whoever failed or withdrew, those who withdrew early included.
select
    registered.district_id as student_id,
    registered.person,
    registered.school_id,
    registered.final_result in ('Fail', 'Withdrawn') as outcome,
    plan_inputs.* exclude (school_id),
    work_inputs.* exclude (school_id, person),
    work_elsewhere.* exclude (school_id, person),
    registration_inputs.* exclude (school_id, person)
from registered
left join plan_inputs using (school_id)
left join work_inputs using (school_id, person)
left join work_elsewhere using (school_id, person)
left join registration_inputs using (school_id, person)
order by student_id
