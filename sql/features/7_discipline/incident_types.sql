-- For each timeline and week: types seen for the first time, and the incidents of the most frequent type of the last
-- eight weeks.
with reached as (
    select
        incident_cells.timeline_no,
        incident_cells.incident_type,
        incident_cells.incidents,
        incident_cells.week as from_week,
        unnest(range(incident_cells.week, incident_cells.week + 8)) as week
    from incident_cells
),

types as (
    select
        timeline_no,
        week,
        incident_type,
        sum(incidents) as incidents
    from reached
    group by timeline_no, week, incident_type
),

repeated as (
    select timeline_no, week, max(incidents)::integer as repeated
    from types
    group by timeline_no, week
),

first_weeks as (
    select timeline_no, min(week) as week
    from incident_cells
    group by timeline_no, incident_type
),

first_seen as (
    select timeline_no, week, count(*)::integer as new_types
    from first_weeks
    group by timeline_no, week
)

select
    repeated.timeline_no,
    repeated.week::integer as week,
    repeated.repeated,
    coalesce(first_seen.new_types, 0) as new_types
from repeated
left join first_seen
    on first_seen.timeline_no = repeated.timeline_no
    and first_seen.week = repeated.week
