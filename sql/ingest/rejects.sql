-- Quarantined rows with their reason, and the value that was there. Only import_rejects ever holds that value.
with faults as (
    select n, problem from staged where problem is not null
    union all
    select n, getvariable('key_columns') || ':conflicting_duplicate' from repeats where verdict = 'conflict'
)

select
    faults.n,
    split_part(problem, ':', 1) as column_name,
    split_part(problem, ':', 2) as reason,
    to_json(raw) ->> split_part(problem, ':', 1) as value
from faults
join raw using (n)
