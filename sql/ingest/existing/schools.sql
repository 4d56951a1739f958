-- The schools the store has, to compare with.
select
    school_id as id,
    hash(
        name, cast(periods_per_day as integer), cast(week_starts_on as integer), cast(submitted_through as date)
    ) as content
from stored
