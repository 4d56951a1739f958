-- Quarantined rows with their reason, and the value that was there; and of rows that are kept, each value that is left
-- out. Only import_rejects ever holds these values.
with faults as (
    select n, problem from staged where problem is not null
    union all
    select n, getvariable('key_columns') || ':conflicting_duplicate' from repeats where verdict = 'conflict'
    union all
    select n, unnest(slips) || '_left_out'
    from staged
    left join repeats using (n)
    where problem is null and slips is not null and (repeats.n is null or repeats.verdict = 'kept')
)

select
    faults.n,
    split_part(problem, ':', 1) as column_name,
    split_part(problem, ':', 2) as reason,
    to_json(raw) ->> split_part(problem, ':', 1) as value
from faults
join raw using (n)
