-- Schools as the file tells them, over what the store has.
delete from known_schools where id in (select id from staged where problem is null);

insert into known_schools
select id, arg_min(periods_per_day, n), arg_min(submitted_through, n)
from staged
where problem is null
group by id
