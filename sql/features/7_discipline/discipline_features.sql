-- The 13 discipline features of rows with an incident so far, where the school is known to report discipline, keyed by
-- row_key. Other rows of such schools have none: see 8_rows/features.
with windows as (
    select
        base_no * 64 + week as row_key,
        (valid_weeks >> week) & 1 = 1 as is_valid,
        is_reported,
        week,
        incidents,
        repeated,
        sum(incidents) over weeks_4 as incidents_4,
        sum(incidents) over year_to_date as incidents_ytd,
        max(worst) over weeks_4 as worst_4,
        sum(severity) over weeks_8 as severity_8,
        sum(severity) over year_to_date as severity_ytd,
        sum(serious) over year_to_date as serious_ytd,
        max(incident_week) over year_to_date as last_week,
        sum(incidents) over weeks_8 as incidents_8,
        sum(incidents) over earlier_8 as earlier_incidents_8,
        sum(severity) over earlier_8 as earlier_severity_8,
        sum(new_types) over year_to_date as types_ytd,
        sum(removal_days) over weeks_8 as removal_days_8,
        count(*) over weeks_8 as n,
        sum(week::double) over weeks_8 as sx,
        sum(week::double * week) over weeks_8 as sxx,
        sum(incidents * week) over weeks_8 as sxy
    from incident_weeks
    window
        weeks_4 as (partition by timeline_no order by week rows between 3 preceding and current row),
        weeks_8 as (partition by timeline_no order by week rows between 7 preceding and current row),
        earlier_8 as (partition by timeline_no order by week rows between 15 preceding and 8 preceding),
        year_to_date as (partition by timeline_no order by week rows unbounded preceding)
)

select
    row_key,
    incidents as incidents_1w,
    incidents_4 as incidents_4w,
    incidents_ytd,
    worst_4 as max_severity_4w,
    severity_8 as severity_sum_8w,
    severity_ytd as severity_sum_ytd,
    serious_ytd as serious_incidents_ytd,
    least(week - last_week, 40) as weeks_since_incident,
    case when n >= 3 then (n * sxy - sx * incidents_8) / (n * sxx - sx * sx) end as incident_trend_8w,
    severity_8 / nullif(incidents_8, 0) - earlier_severity_8 / nullif(earlier_incidents_8, 0) as severity_change_8w,
    types_ytd as distinct_types_ytd,
    repeated as repeated_type_8w,
    removal_days_8 as removal_days_8w
from windows
where is_valid
  and is_reported
  and incidents_ytd > 0
