-- Records that a file tells more than once. Told twice at the same moment: the first counts, an equal one is a
-- duplicate and another one is in conflict. Told again later: the later one supersedes the earlier.
with shared as (
    select id from staged where problem is null group by id having count(*) > 1
),

ranked as (
    select
        n,
        id,
        content,
        recorded_at,
        superseded_at,
        row_number() over same_moment as place,
        first_value(content) over same_moment as first_content
    from staged
    semi join shared using (id)
    where problem is null
    window same_moment as (partition by id, recorded_at order by superseded_at nulls first, n)
)

select
    n,
    case
        when place = 1 then 'kept'
        when content is not distinct from first_content or superseded_at <= recorded_at then 'duplicate'
        else 'conflict'
    end as verdict,
    least(superseded_at, lead(recorded_at) over (partition by id, place order by recorded_at, n)) as superseded_at
from ranked
