-- A student. Demographic columns are kept for audits and the student's own page; nothing here computes with them.
with typed as (
    select
        raw.*,
        coalesce(as_integer(codes.value), as_integer(raw.grade_level)) as grade,
        as_date(raw.date_of_birth) as birth,
        as_date(raw.enrollment_date) as enrolled
    from raw
    left join codes on codes.field = 'grade_level' and codes.code = lower(raw.grade_level)
)

select
    n,
    cast(md5(concat_ws(chr(31), 'edupulse:students', district_id)) as uuid) as id,
    district_id,
    first_name,
    last_name,
    grade as grade_level,
    birth as date_of_birth,
    gender,
    ethnicity,
    socioeconomic_status,
    parent_contact,
    enrolled as enrollment_date,
    coalesce(student_metadata, '{}') as student_metadata,
    hash(
        first_name, last_name, grade, birth, gender, ethnicity, socioeconomic_status, parent_contact, enrolled,
        json_leaves(student_metadata)
    ) as content,
    coalesce(
        missing('district_id', district_id),
        too_long('district_id', district_id, 50),
        bad_id('district_id', district_id),
        too_long('first_name', first_name, 100),
        too_long('last_name', last_name, 100),
        unread('grade_level', grade_level, grade, 'invalid_number'),
        outside('grade_level', grade, 0, 12, 'impossible_grade_level'),
        unread('date_of_birth', date_of_birth, birth, 'invalid_date'),
        outside('date_of_birth', date_diff('year', birth, getvariable('imported_at')), 3, 100, 'impossible_birth'),
        too_long('gender', gender, 10),
        too_long('ethnicity', ethnicity, 100),
        too_long('socioeconomic_status', socioeconomic_status, 50),
        too_long('parent_contact', parent_contact, 200),
        unread('enrollment_date', enrollment_date, enrolled, 'invalid_date'),
        in_future('enrollment_date', enrolled, 366),
        bad_object('student_metadata', student_metadata),
        too_long('student_metadata', student_metadata, 10000)
    ) as problem
from typed
