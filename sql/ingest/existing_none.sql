-- An empty store's rows, in the shape in which `staged` can be compared with them.
select id, content, cast(null as uuid) as version, recorded_at, base, complete
from staged
where false
