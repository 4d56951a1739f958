-- The last day in term on or before finished_through: its week must be among the features.
select max(date) as last_day
from school_calendar
where day_type <> 'closed' and date <= :finished_through
