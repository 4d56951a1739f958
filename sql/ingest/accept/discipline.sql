-- An incident. Without an incident number it is known by student, day, type and severity.
with typed as (
    select
        raw.*,
        known_students.id as student_id,
        as_date(raw.incident_date) as happened,
        coalesce(as_integer(codes.value), as_integer(raw.severity_level)) as severity,
        as_moment(raw.superseded_at) as superseded
    from raw
    left join known_students on known_students.district_id = raw.district_id
    left join codes on codes.field = 'severity_level' and codes.code = lower(raw.severity_level)
),

dated as (select *, when_recorded(recorded_at, happened) as recorded from typed)

select
    n,
    cast(md5(concat_ws(
        chr(31), 'edupulse:discipline_incidents', district_id,
        coalesce(incident_id, concat_ws(chr(31), '', happened, coalesce(incident_type, ''), severity))
    )) as uuid) as id,
    student_id,
    happened as incident_date,
    severity as severity_level,
    incident_type,
    description,
    resolution,
    recorded as recorded_at,
    superseded as superseded_at,
    recorded_at is not null as stated,
    hash(happened, severity, incident_type, description, resolution) as content,
    coalesce(
        missing('district_id', district_id),
        unread('district_id', district_id, student_id, 'unknown_student'),
        missing('incident_date', incident_date),
        unread('incident_date', incident_date, happened, 'invalid_date'),
        off_calendar('incident_date', happened, 366),
        in_future('incident_date', happened, 1),
        missing('severity_level', severity_level),
        unread('severity_level', severity_level, severity, 'unknown_code'),
        outside('severity_level', severity, 1, 5, 'impossible_severity'),
        too_long('incident_type', incident_type, 100),
        too_long('description', description, 10000),
        too_long('resolution', resolution, 200),
        bad_versions(recorded_at, recorded, superseded_at, superseded)
    ) as problem
from dated
