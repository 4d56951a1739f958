-- Who is at which school, as the file tells.
insert into known_enrollments
select distinct student_id, school_id
from staged
where problem is null
