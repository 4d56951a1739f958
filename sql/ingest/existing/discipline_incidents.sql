-- The incidents the store has, to compare with. A current row has its natural id; a closed version has its own.
select
    case when superseded_at is null then cast(id as uuid) end as id,
    case when superseded_at is not null then cast(id as uuid) end as version,
    cast(recorded_at as timestamp) as recorded_at,
    hash(cast(incident_date as date), cast(severity_level as integer), incident_type, description, resolution) as content
from stored
