-- Stored attendance that something newer closes, by its natural key, and the moment.
select
    hex(any_value(student_id)) as student_id,
    cast(any_value(date) as varchar) as date,
    any_value(period) as period,
    moment_text(min(case when action = 'correct' then recorded_at else superseded_at end)) as closed_at
from changes
where action in ('correct', 'close')
group by changes.id
