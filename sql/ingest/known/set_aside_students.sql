-- The students whose own row was set aside, as far as it could be read.
insert into set_aside_students
select distinct raw.district_id
from raw
join faults using (n)
where raw.district_id is not null
