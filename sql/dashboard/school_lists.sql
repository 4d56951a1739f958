-- On the last day before as_of whose attendance has arrived at a school: how many were enrolled, and of how many a
-- record says how they spent the day. Where that is most of them, a day without a record is a day that nobody knows.
with last_day as (
    select max(date) as date
    from school_calendar
    where school_id = :school_id and day_type = 'instructional' and date < :as_of and submitted_at < :as_of
),
people as (
    select distinct stay.student_id, last_day.date
    from last_day
    inner join enrollments as stay
        on stay.school_id = :school_id
        and stay.school_year = :school_year
        and stay.superseded_at is null
        and stay.entry_date <= last_day.date
        and (stay.exit_date is null or stay.exit_date > last_day.date)
)
select
    count(*) as enrolled,
    sum(
        case when exists (
            select 1
            from attendance_records as record
            where record.student_id = people.student_id and record.date = people.date and record.superseded_at is null
        ) then 1 else 0 end
    ) as written
from people
