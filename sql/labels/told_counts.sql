-- What was told by $known_until, and what became of it under the rule of known_stays.
select
    count(*) as told,
    count(*) filter (
        where outcome_date < $known_until and (outcome_type = 'enrolled' or list_contains($exit_reasons, outcome_type))
    ) as outcomes,
    count(*) filter (where outcome_type is null or outcome_date is null) as without_outcome,
    count(distinct student_no) as students
from feedback
where told_at < $known_until
