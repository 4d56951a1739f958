-- One school for every thousand students.
select
    number::smallint as school_no,
    'school ' || number as school_id,
    null::integer as periods_per_day,
    1 as week_starts_on,
    date '2024-06-30' as submitted_through
from range(1, 2 + (getvariable('students') - 1) // 1000) as numbers(number)
