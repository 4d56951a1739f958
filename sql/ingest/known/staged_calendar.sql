-- The calendar's first and last day, those of the file with those of the store.
insert into known_calendar
select min(date), max(date)
from staged
where problem is null
