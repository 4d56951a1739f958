-- Records that are no CSV, each once, counted from 1 with the header and the blank ones.
select
    line,
    case when bool_or(error_type = 'INVALID ENCODING') then 'wrong_encoding' else 'broken_row' end as reason,
    any_value(csv_line) as text
from reject_errors
group by line
order by line
