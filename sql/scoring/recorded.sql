-- What was on record of each student at each school over the school's latest days of instruction of its current year
-- that had arrived before as_of, as the record told it then: on how many of these days a `present` is written down, and
-- whether there is any attendance row, any grade, any incident. Only what was known before as_of is read.
with arrived as (
    select
        school_id,
        school_year,
        date,
        row_number() over (partition by school_id, school_year order by date desc) as days_back
    from school_calendar
    where day_type = 'instructional' and date < :as_of and submitted_at < :as_of
),
current_year as (
    select school_id, max(school_year) as school_year
    from arrived
    group by school_id
),
lately as (
    select a.school_id, a.school_year, min(a.date) as since, count(*) as school_days
    from arrived as a
    join current_year as y on y.school_id = a.school_id and y.school_year = a.school_year
    where a.days_back <= :days
    group by a.school_id, a.school_year
),
people as (
    select distinct e.student_id, e.school_id, l.since, l.school_days
    from enrollments as e
    join lately as l on l.school_id = e.school_id and l.school_year = e.school_year
    where e.recorded_at < :as_of and e.entry_date < :as_of
)
select
    p.student_id,
    p.school_id,
    p.school_days,
    (
        select count(distinct a.date)
        from attendance_records as a
        where a.student_id = p.student_id and a.date >= p.since and a.date < :as_of and a.status = 'present'
            and a.recorded_at < :as_of and (a.superseded_at is null or a.superseded_at >= :as_of)
    ) as days_present,
    exists (
        select 1
        from attendance_records as a
        where a.student_id = p.student_id and a.date >= p.since and a.date < :as_of
            and a.recorded_at < :as_of and (a.superseded_at is null or a.superseded_at >= :as_of)
    ) as attendance,
    exists (
        select 1
        from grades as g
        where g.student_id = p.student_id and g.submission_date >= p.since and g.submission_date < :as_of
            and g.recorded_at < :as_of and (g.superseded_at is null or g.superseded_at >= :as_of)
    ) as grades,
    exists (
        select 1
        from discipline_incidents as i
        where i.student_id = p.student_id and i.incident_date >= p.since and i.incident_date < :as_of
            and i.recorded_at < :as_of and (i.superseded_at is null or i.superseded_at >= :as_of)
    ) as incidents
from people as p
order by p.student_id, p.school_id
