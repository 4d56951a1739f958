-- The attendance the store has, to compare with. There is no surrogate id: the key is what the row is about.
with keyed as (
    select
        attendance_key(known_students.student_no, cast(date as date), cast(period as integer)) as id,
        cast(recorded_at as timestamp) as recorded_at,
        superseded_at is null as is_current,
        status
    from stored
    join known_students on known_students.id = cast(stored.student_id as uuid)
)

select
    case when is_current then id end as id,
    case when not is_current then version_of(id, recorded_at) end as version,
    recorded_at,
    status as content
from keyed
