-- Students whose stay covers as_of, as the record told it before as_of, one row per stay.
-- A stay without an exit lasts until five weeks after its calendar, as far as it is past, has ended: the days to come are not read.
with years as (
    select school_id, school_year, min(date) as first_day, max(case when date < :as_of then date end) as last_day
    from school_calendar
    group by school_id, school_year
)
select e.student_id, e.school_id, e.grade_level, e.entry_date
from enrollments as e
join years as y on y.school_id = e.school_id and y.school_year = e.school_year
where e.recorded_at < :as_of
    and e.entry_date < :as_of
    and (e.superseded_at is null or e.superseded_at >= :as_of)
    and not (
        e.exit_date is not null
        and e.exit_date < :as_of
        and coalesce(e.exit_recorded_at, e.exit_date) < :as_of
    )
    and y.first_day < :as_of
    and y.last_day >= :last_day
order by e.student_id, e.entry_date, e.school_id
