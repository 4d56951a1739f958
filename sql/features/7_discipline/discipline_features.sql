-- The 13 discipline features of rows with an incident so far, where the school is known to report discipline, keyed by
-- row_key. Other rows of such schools have none: see 8_rows/features. Timelines follow one another, week by week and
-- without gaps from the first week on, so that windows without a partition read them in passing; see the macros. A line
-- through the last n weeks wants Σxy, x counting weeks back from this one; Σx and nΣx² − (Σx)² follow from n.
with in_order as (
    select
        *,
        week - 1 as place
    from incident_weeks
    order by timeline_no, week
),

two_weeks as (
    select
        *,
        sums(incidents, 1) as incidents_2,
        sums(severity, 1) as severity_2,
        sums(removal_days, 1) as removal_2,
        back(incidents, 1) as moment_2,
        greatest(worst, back(worst, 1)) as worst_2
    from in_order
),

four_weeks as (
    select
        *,
        sums(incidents_2, 2) as incidents_4,
        sums(severity_2, 2) as severity_4,
        sums(removal_2, 2) as removal_4,
        moments(moment_2, incidents_2, 2) as moment_4,
        greatest(worst_2, back(worst_2, 2)) as worst_4
    from two_weeks
),

passed as (
    select
        *,
        sums(incidents_4, 4) as incidents_8,
        sums(severity_4, 4) as severity_8,
        sums(removal_4, 4) as removal_8,
        moments(moment_4, incidents_4, 4) as moment_8,
        so_far(incidents) as incidents_so_far,
        so_far(severity) as severity_so_far,
        so_far(serious) as serious_so_far,
        so_far(new_types) as types_so_far,
        greatest_so_far(timeline_no, incident_week) as last_week
    from four_weeks
),

totals as (
    select
        *,
        back(incidents_8, 8) as earlier_incidents,
        back(severity_8, 8) as earlier_severity,
        since_start(place = 0, incidents_so_far, incidents) as incidents_ytd,
        since_start(place = 0, severity_so_far, severity) as severity_ytd,
        since_start(place = 0, serious_so_far, serious) as serious_ytd,
        since_start(place = 0, types_so_far, new_types) as types_ytd,
        least(week, 8)::double as n
    from passed
)

select
    base_no * 64 + week as row_key,
    incidents as incidents_1w,
    incidents_4 as incidents_4w,
    incidents_ytd,
    worst_4 as max_severity_4w,
    severity_8 as severity_sum_8w,
    severity_ytd as severity_sum_ytd,
    serious_ytd as serious_incidents_ytd,
    least(week - last_week, 40) as weeks_since_incident,
    case when n >= 3 then (n * (n - 1) / 2 * incidents_8 - n * moment_8) / (n * n * (n * n - 1) / 12) end
        as incident_trend_8w,
    severity_8 / nullif(incidents_8, 0) - earlier_severity / nullif(earlier_incidents, 0) as severity_change_8w,
    types_ytd as distinct_types_ytd,
    repeated as repeated_type_8w,
    removal_8 as removal_days_8w
from totals
where (valid_weeks >> week) & 1 = 1
  and is_reported
  and incidents_ytd > 0
