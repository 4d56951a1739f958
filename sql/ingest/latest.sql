-- The rows of a file that say what is so now, by which the store may know more: of a record told more than once the
-- latest, unless it was withdrawn. What a file tells of the past is not completed from the present.
with versions as (
    select
        n,
        id,
        problem,
        recorded_at is not distinct from max(recorded_at) over (partition by id) as is_newest,
        bool_or(superseded_at is null) over (partition by id, recorded_at) as is_open
    from staged
)

select n, id
from versions
where problem is null and is_newest and is_open
