-- The caseloads the store has, to compare with.
select
    row(cast(staff_id as uuid), cast(student_id as uuid), cast(start_date as date)) as id,
    hash(cast(end_date as date)) as content
from stored
