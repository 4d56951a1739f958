-- A student's incidents between two days, the earliest first.
select incident_date, incident_type, severity_level, description, resolution
from discipline_incidents
where student_id = :student_id and superseded_at is null and incident_date >= :since and incident_date < :as_of
order by incident_date, severity_level desc, incident_type
