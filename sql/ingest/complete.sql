-- The rows of a file, and in the columns that it lacks what the store knows.
select n, any_value(columns(* exclude (n)))
from (select * from raw union all by name select * from kept)
group by n
order by n
