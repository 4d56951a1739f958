-- Quarantined rows on their way to the store. A NUL cannot be stored as text on PostgreSQL.
select
    hex(uuid()) as id,
    getvariable('import_id') as import_id,
    file,
    line as row_number,
    nullif(column_name, '') as column_name,
    reason,
    left(replace(value, chr(0), '?'), 1000) as value
from rejects
order by file, line
