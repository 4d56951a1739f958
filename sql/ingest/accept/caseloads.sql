-- A student in somebody's care, from a day to another, which is the last one; without an end it is still so. A caseload ends
-- when its row says so: a row that is no longer sent ends nothing.
with typed as (
    select
        raw.*,
        known_staff.id as staff_id,
        known_students.id as student_id,
        as_date(raw.start_date) as first_day,
        as_date(raw.end_date) as last_day
    from raw
    left join known_staff on known_staff.username = raw.username
    left join known_students on known_students.district_id = raw.district_id
)

select
    n,
    row(staff_id, student_id, first_day) as id,
    staff_id,
    student_id,
    first_day as start_date,
    last_day as end_date,
    hash(last_day) as content,
    coalesce(
        missing('username', username),
        unread('username', username, staff_id, 'unknown_staff'),
        missing('district_id', district_id),
        unread('district_id', district_id, student_id, 'unknown_student'),
        missing('start_date', start_date),
        unread('start_date', start_date, first_day, 'invalid_date'),
        in_future('start_date', first_day, 366),
        unread('end_date', end_date, last_day, 'invalid_date'),
        in_future('end_date', last_day, 731),
        case when last_day < first_day then 'end_date:end_before_start' end
    ) as problem
from typed
