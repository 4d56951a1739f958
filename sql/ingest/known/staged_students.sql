-- Students that the file brings and the store does not have, numbered after those it has.
insert into known_students
select (select coalesce(max(student_no), 0) from known_students) + row_number() over (order by min(n)), id, any_value(district_id)
from staged
anti join known_students using (id)
where problem is null
group by id
