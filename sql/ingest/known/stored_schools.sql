-- The schools of the store.
select
    school_id as id,
    cast(periods_per_day as integer) as periods_per_day,
    cast(submitted_through as date) as submitted_through
from stored
