-- Schools on their way to the store, as text that both databases read.
select id as school_id, name, periods_per_day, week_starts_on, cast(submitted_through as varchar) as submitted_through
from outgoing
order by school_id
