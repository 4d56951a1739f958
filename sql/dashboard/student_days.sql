-- Each day of instruction of a school year before as_of on which a student was enrolled, with what is recorded of it
-- and still held to be true: one row per day and record. The status is null where there is none; a student who is at
-- two schools at once counts at one of them. The student's stays come first (`cross join` keeps SQLite to this order):
-- begun at the calendar, every stay of every school would be looked through for each day.
with days as (
    select
        day.date,
        min(day.school_id) as school_id,
        max(case when day.submitted_at < :as_of then 1 else 0 end) as arrived
    from enrollments as stay
    cross join school_calendar as day
    where
        stay.student_id = :student_id
        and stay.school_year = :school_year
        and stay.superseded_at is null
        and day.school_id = stay.school_id
        and day.school_year = stay.school_year
        and day.date >= stay.entry_date
        and (stay.exit_date is null or day.date < stay.exit_date)
        and day.day_type = 'instructional'
        and day.date < :as_of
    group by day.date
)
select days.date, days.arrived, record.status, record.period, schools.periods_per_day
from days
inner join schools on schools.school_id = days.school_id
left join attendance_records as record
    on record.student_id = :student_id and record.date = days.date and record.superseded_at is null
order by days.date, record.period
