-- Every registration with its days as dates. Whoever withdrew on or before the first day never entered. Where the row
-- in studentRegistration.csv is not there or was set aside nobody knows from when to when, and nothing is claimed.
select
    concat_ws('-', people.id_student, people.code_module, people.code_presentation) as district_id,
    people.id_student as person,
    presentations.*,
    people.final_result,
    starts + as_integer(registrations.date_registration) as registered_on,
    starts + as_integer(registrations.date_unregistration) as left_on,
    greatest(starts, coalesce(registered_on, starts)) as entry_date,
    coalesce(left_on, ends + 1) as exit_date,
    left_on is null or left_on > starts as entered,
    people.gender,
    case when people.imd_band = '10-20' then '10-20%' else people.imd_band end as imd_band,
    as_integer(people.num_of_prev_attempts) as previous_attempts,
    as_integer(people.studied_credits) as studied_credits
from people
join presentations
    on presentations.module = people.code_module and presentations.presentation = people.code_presentation
join registrations using (code_module, code_presentation, id_student)
