-- The stays the store has, to compare with. A current row has its natural id; a closed version has its own.
select
    case when superseded_at is null then cast(id as uuid) end as id,
    case when superseded_at is not null then cast(id as uuid) end as version,
    cast(recorded_at as timestamp) as recorded_at,
    hash(cast(grade_level as integer)) as base,
    exit_date is not null as complete,
    hash(cast(grade_level as integer), cast(exit_date as date), exit_reason) as content
from stored
