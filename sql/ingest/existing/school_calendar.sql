-- The calendar days the store has, to compare with.
select
    row(school_id, cast(date as date)) as id,
    hash(cast(school_year as integer), day_type, cast(submitted_at as timestamp)) as content
from stored
