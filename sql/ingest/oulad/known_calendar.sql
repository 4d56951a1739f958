-- The first and the last day of all presentations: what a day of the published files is held against.
select min(starts) as first_day, max(ends) as last_day
from presentations
