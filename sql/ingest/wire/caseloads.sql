-- Caseloads on their way to the store, as text that both databases read.
select hex(staff_id) as staff_id, hex(student_id) as student_id, cast(start_date as varchar) as start_date,
    cast(end_date as varchar) as end_date
from outgoing
order by staff_id, student_id, start_date
