-- What is known of the file's schools, in the file's own columns.
select latest.n, name, periods_per_day, week_starts_on, submitted_through
from stored
join latest on latest.id = stored.school_id
