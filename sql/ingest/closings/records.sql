-- Stored rows that something newer closes: the identity each keeps as history, and the moment.
select
    hex(id) as id,
    hex(version_of(id, any_value(present_since))) as version,
    moment_text(min(case when action = 'correct' then recorded_at else superseded_at end)) as closed_at
from changes
where action in ('correct', 'close')
group by changes.id
