-- When the file's school days had come, in the file's own columns. A moment that only follows from the school's
-- `submitted_through` is not kept where the school has taken it back.
select
    latest.n,
    case
        when cast(stored.submitted_at as timestamp) <> cast(stored.date as timestamp)
            or cast(stored.date as date) <= coalesce(known_schools.submitted_through, date '9999-12-31')
            then stored.submitted_at
    end as submitted_at
from stored
join latest on latest.id = row(stored.school_id, cast(stored.date as date))
left join known_schools on known_schools.id = stored.school_id
