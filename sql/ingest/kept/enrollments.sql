-- What is known of the file's stays, in the file's own columns. Why a stay ended, and since when that is known, is kept
-- only with an exit, and the moment only with the exit that it speaks of.
select
    latest.n,
    stored.grade_level,
    stored.exit_date,
    case when list_contains(getvariable('absent'), 'exit_date') or raw.exit_date is not null then stored.exit_reason end
        as exit_reason,
    case
        when list_contains(getvariable('absent'), 'exit_date') or as_date(raw.exit_date) = cast(stored.exit_date as date)
            then stored.exit_recorded_at
    end as exit_recorded_at
from stored
join latest on latest.id = cast(stored.id as uuid)
join raw on raw.n = latest.n
where stored.superseded_at is null
