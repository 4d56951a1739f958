-- What is known of the file's incidents, in the file's own columns.
select latest.n, incident_type, description, resolution
from stored
join latest on latest.id = cast(stored.id as uuid)
where stored.superseded_at is null
