-- The results the store has, to compare with. A current row has its natural id; a closed version has its own.
select
    case when superseded_at is null then cast(id as uuid) end as id,
    case when superseded_at is not null then cast(id as uuid) end as version,
    cast(recorded_at as timestamp) as recorded_at,
    hash(
        course_name, cast(grade_value as float), grade_letter, cast(submission_date as date),
        cast(due_date as date), cast(weight as float), assignment_type
    ) as content
from stored
