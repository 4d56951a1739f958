-- Rows of unknown students whose student was there, and set aside.
select count(*)
from rejects
where column_name = 'district_id' and reason = 'unknown_student' and value in (from set_aside_students)
