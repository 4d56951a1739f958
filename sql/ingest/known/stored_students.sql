-- The students of the store, numbered for this import.
select row_number() over (order by district_id) as student_no, cast(id as uuid) as id, district_id
from stored
