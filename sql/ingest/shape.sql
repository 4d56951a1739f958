-- Any file in its canonical shape: every column of the contract, blank as null, numbered in the file's order.
select row_number() over () as n, nullif(trim(columns(*)), '')
from (select * from blank union all by name select * from told)
