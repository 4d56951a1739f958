-- Calendar days on their way to the store, as text that both databases read.
select school_id, cast(date as varchar) as date, school_year, day_type, moment_text(submitted_at) as submitted_at
from outgoing
order by school_id, date
