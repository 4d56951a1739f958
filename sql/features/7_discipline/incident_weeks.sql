-- One row per week, without gaps, of each timeline that has an incident; the others need no row.
with sums as (
    select
        timeline_no,
        week,
        sum(incidents) as incidents,
        sum(severity) as severity,
        max(worst) as worst,
        sum(serious) as serious,
        sum(removal_days) as removal_days
    from incident_cells
    group by timeline_no, week
)

select
    timelines.timeline_no,
    timelines.base_no,
    timelines.valid_weeks,
    weeks.week,
    weeks.as_of > discipline_reported.reported_at as is_reported,
    coalesce(sums.incidents, 0)::double as incidents,
    coalesce(sums.severity, 0)::double as severity,
    coalesce(sums.worst, 0) as worst,
    coalesce(sums.serious, 0)::double as serious,
    coalesce(sums.removal_days, 0)::double as removal_days,
    coalesce(incident_types.repeated, 0) as repeated,
    coalesce(incident_types.new_types, 0)::double as new_types,
    if(sums.incidents > 0, weeks.week, 0) as incident_week
from timelines
join weeks
    on weeks.school_no = timelines.school_no
    and weeks.week <= timelines.last_week
left join discipline_reported on discipline_reported.school_no = timelines.school_no
left join sums
    on sums.timeline_no = timelines.timeline_no
    and sums.week = weeks.week
left join incident_types
    on incident_types.timeline_no = timelines.timeline_no
    and incident_types.week = weeks.week
where timelines.timeline_no in (select timeline_no from incident_cells)
