-- An assignment's result; no value means that it was due and not handed in. An export without assignment names is
-- keyed by type and day instead.
with typed as (
    select
        raw.*,
        known_students.id as student_id,
        as_number(raw.grade_value) as value,
        as_date(raw.submission_date) as submitted,
        as_date(raw.due_date) as due,
        as_number(raw.weight) as weight_value,
        as_moment(raw.superseded_at) as superseded
    from raw
    left join known_students on known_students.district_id = raw.district_id
),

dated as (select *, when_recorded(recorded_at, submitted) as recorded from typed)

select
    n,
    cast(md5(concat_ws(
        chr(31), 'edupulse:grades', district_id, course_id,
        coalesce(assignment, concat(coalesce(assignment_type, ''), '@', submitted))
    )) as uuid) as id,
    student_id,
    course_id,
    course_name,
    assignment,
    try_cast(value as float) as grade_value,
    grade_letter,
    submitted as submission_date,
    due as due_date,
    try_cast(weight_value as float) as weight,
    assignment_type,
    recorded as recorded_at,
    superseded as superseded_at,
    recorded_at is not null as stated,
    hash(
        course_name, try_cast(value as float), grade_letter, submitted, due, try_cast(weight_value as float), assignment_type
    ) as content,
    coalesce(
        missing('district_id', district_id),
        unread('district_id', district_id, student_id, 'unknown_student'),
        missing('course_id', course_id),
        too_long('course_id', course_id, 50),
        too_long('course_name', course_name, 200),
        too_long('assignment', assignment, 100),
        unread('grade_value', grade_value, value, 'invalid_number'),
        outside('grade_value', value, 0, 100, 'impossible_grade'),
        too_long('grade_letter', grade_letter, 2),
        missing('submission_date', submission_date),
        unread('submission_date', submission_date, submitted, 'invalid_date'),
        off_calendar('submission_date', submitted, 366),
        case when value is not null then in_future('submission_date', submitted, 1) end,
        unread('due_date', due_date, due, 'invalid_date'),
        off_calendar('due_date', due, 366),
        unread('weight', weight, weight_value, 'invalid_number'),
        outside('weight', weight_value, 0, 1000000, 'impossible_number'),
        too_long('assignment_type', assignment_type, 50),
        bad_versions(recorded_at, recorded, superseded_at, superseded)
    ) as problem
from dated
