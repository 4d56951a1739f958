-- Schools and week ends at which days that are submitted by now were not submitted yet.
with late_days as (
    select school_no, date, submitted_at
    from known_calendar
    where day_type = 'instructional'
      and submitted_at >= date + 1
)

select distinct late_days.school_no, week_ends.as_of
from late_days
join (select distinct as_of from weeks) as week_ends
    on week_ends.as_of > late_days.date
    and week_ends.as_of <= late_days.submitted_at
