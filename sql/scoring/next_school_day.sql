-- The first day in term on or after today: a week that it belongs to is not over.
select min(date) as next_day
from school_calendar
where day_type <> 'closed' and date >= :today
