-- Incidents of each timeline, week and type.
select
    timelines.timeline_no,
    week_of_date.week,
    known_incidents.incident_type,
    count(*)::integer as incidents,
    sum(known_incidents.severity)::integer as severity,
    max(known_incidents.severity)::integer as worst,
    count(*) filter (known_incidents.severity >= 3)::integer as serious,
    sum(known_incidents.removal_days)::integer as removal_days
from known_incidents
join timelines using (student_no)
join week_of_date
    on week_of_date.school_no = timelines.school_no
    and week_of_date.date = known_incidents.date
where week_of_date.week <= timelines.last_week
  and known_incidents.recorded_at < timelines.view
  and (known_incidents.superseded_at is null or known_incidents.superseded_at >= timelines.view)
group by timelines.timeline_no, week_of_date.week, known_incidents.incident_type
