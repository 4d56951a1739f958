select
    cast(row_number() over (order by school_id) as smallint) as school_no,
    school_id,
    periods_per_day,
    week_starts_on,
    submitted_through
from source
