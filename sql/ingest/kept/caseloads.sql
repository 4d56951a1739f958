-- Until when the file's students are in somebody's care, in the file's own column.
select latest.n, end_date
from stored
join latest on latest.id = row(cast(stored.staff_id as uuid), cast(stored.student_id as uuid), cast(stored.start_date as date))
