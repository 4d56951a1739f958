-- A published file as text; a question mark means that nothing is known.
select nullif(nullif(trim(columns(*)), ''), '?')
from (select * from blank union all by name select * from told)
