-- Absences and incidents that were not known on their own day, or have been corrected since; nearly all records are
-- settled at once. Assignments are looked at by course, in dirty_courses.
select student_no, date, recorded_at, superseded_at
from attendance_exceptions
where coalesce(superseded_at, recorded_at) >= date + 1

union all

select student_no, date, recorded_at, superseded_at
from known_incidents
where coalesce(superseded_at, recorded_at) >= date + 1
