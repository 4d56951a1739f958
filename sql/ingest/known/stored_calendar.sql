-- The first and the last day of the store's calendar.
select min(cast(date as date)) as first_day, max(cast(date as date)) as last_day
from stored
