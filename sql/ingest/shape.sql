-- Any file in the shape of its contract: every column, blank or the source's own word for unknown as null, numbered in
-- the file's order.
select row_number() over () as n, nullif(nullif(trim(columns(*)), ''), getvariable('unknown'))
from (select * from blank union all by name select * from told)
