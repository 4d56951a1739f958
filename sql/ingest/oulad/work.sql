-- What each student who entered owed or handed in. `expected`: due while enrolled. Results banked from an earlier
-- presentation are no work of this one and are left out with their assessment. Where the row of a result was set aside,
-- nobody knows whether it was handed in, and nothing is claimed.
select
    registered.district_id,
    registered.school_id,
    registered.module,
    due.id_assessment,
    due.due_date,
    due.assessment_type,
    due.weight,
    registered.starts + as_integer(results.date_submitted) as handed_in,
    as_number(results.score) as score,
    due.due_date >= registered.entry_date and due.due_date < registered.exit_date as expected
from registered
join due using (school_id)
left join results on results.id_assessment = due.id_assessment and results.id_student = registered.person
anti join unsettled on unsettled.id_assessment = due.id_assessment and unsettled.id_student = registered.person
where registered.entered and coalesce(as_integer(results.is_banked), 0) = 0 and (expected or handed_in is not null)
