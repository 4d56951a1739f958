-- The last school day on or before a day, and the first one after it.
select
    max(case when date <= :today then date end) as last_day,
    min(case when date > :today then date end) as next_day
from school_calendar
where day_type <> 'closed'
