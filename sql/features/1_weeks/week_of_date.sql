-- The week to which each date counts, by school.
select
    school_no,
    week,
    as_of,
    unnest(generate_series(from_date, as_of - 1, interval 1 day))::date as date
from weeks
