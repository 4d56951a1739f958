-- Attendance on its way to the store, as text that both databases read, in the order of the store's own index.
select
    hex(student_id) as student_id,
    cast(date as varchar) as date,
    period,
    status,
    moment_text(recorded_at) as recorded_at,
    moment_text(superseded_at) as superseded_at
from outgoing
order by student_id, outgoing.date, period, outgoing.recorded_at
