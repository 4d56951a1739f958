-- Canonical stays. Withdrawn with a date is a dropout on that day; whoever has a date and another result, or withdrew
-- without a date, left for a reason we do not know; everybody else completed the module the day after its last day.
select
    district_id,
    school_id,
    school_year,
    entry_date,
    exit_date,
    case
        when final_result = 'Withdrawn' and left_on is not null then 'dropout'
        when final_result = 'Withdrawn' or left_on is not null then 'unknown'
        else 'other_completer'
    end as exit_reason,
    coalesce(registered_on, entry_date) as recorded_at,
    exit_date as exit_recorded_at
from registered
where entered
order by district_id
