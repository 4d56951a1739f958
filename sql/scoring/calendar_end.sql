-- Until when the calendar says anything, its last school day, and how many school days it has since a day and before another.
select
    max(date) as last_named,
    max(case when day_type <> 'closed' then date end) as last_school_day,
    count(distinct case when day_type <> 'closed' and date >= :since and date < :until then date end) as days_then
from school_calendar
