-- Who was ever at which school, as the store has it.
select distinct cast(student_id as uuid) as student_id, school_id
from stored
