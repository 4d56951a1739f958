-- Staff as the file tells them, beside what the store has.
insert into known_staff
select distinct id, username
from staged
where problem is null and username not in (select username from known_staff)
