-- Incidents on their way to the store, as text that both databases read. A past version has an identity of its own.
select
    hex(case when superseded_at is null then id else version_of(id, recorded_at) end) as id,
    hex(student_id) as student_id,
    cast(incident_date as varchar) as incident_date,
    severity_level,
    incident_type,
    description,
    resolution,
    moment_text(recorded_at) as recorded_at,
    moment_text(superseded_at) as superseded_at
from outgoing
order by student_id, incident_date
