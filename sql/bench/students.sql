-- Students of the bench district, by number. Variable: students, how many.
select
    number::integer as student_no,
    md5('edupulse bench ' || number)::uuid as student_id,
    'B' || number as district_id,
    (9 + number % 4)::integer as grade_level,
    'B' || number as person,
    '{}' as metadata
from range(1, getvariable('students') + 1) as numbers(number)
