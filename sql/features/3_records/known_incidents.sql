-- The year's incidents known at the cutoff. removal_days: days of suspension or expulsion, the number in the
-- resolution; 1 where a suspension, 10 where an expulsion gives no number.
with incidents_of_year as (
    select
        *,
        lower(coalesce(resolution, '')) as outcome
    from incidents
    where incident_date >= getvariable('first_date')
      and incident_date < getvariable('end_date')
      and coalesce(recorded_at, incident_date)::timestamp < getvariable('cutoff')
)

select
    student_no,
    incident_date as date,
    severity_level as severity,
    coalesce(incident_type, 'not stated') as incident_type,
    case
        when outcome like '%suspen%' or outcome like '%expul%' or outcome like '%expel%'
            then coalesce(
                try_cast(nullif(regexp_extract(outcome, '[0-9]+'), '') as integer),
                if(outcome like '%suspen%', 1, 10)
            )
        else 0
    end as removal_days,
    coalesce(recorded_at, incident_date)::timestamp as recorded_at,
    case when superseded_at::timestamp < getvariable('cutoff') then superseded_at::timestamp end as superseded_at
from incidents_of_year
