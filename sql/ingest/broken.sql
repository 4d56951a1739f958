-- Records that are no CSV, each once, counted from 1 with the header and the blank ones. A byte that is not in the
-- file's encoding has its column; a record with too few or too many fields, or one too long to be read, has none. The
-- record itself stays in the file, since nobody can say which of its parts is a name.
select
    line,
    coalesce(arg_min(column_name, byte_position) filter (error_type = 'INVALID ENCODING'), '') as column_name,
    case
        when bool_or(error_type = 'INVALID ENCODING') then 'wrong_encoding'
        when bool_or(error_type = 'LINE SIZE OVER MAXIMUM') then 'oversized_row'
        else 'broken_row'
    end as reason,
    null::varchar as text
from reject_errors
group by line
order by line
