-- Forty weeks from the end of August with four weeks of holidays: 180 instructional days.
select
    schools.school_no,
    day::date as date,
    2023 as school_year,
    case
        when isodow(day) > 5 or (day::date - date '2023-08-28') // 7 in (7, 16, 17, 30) then 'closed'
        else 'instructional'
    end as day_type,
    day::timestamp + interval 16 hour as submitted_at
from schools
cross join generate_series(date '2023-08-28', date '2024-06-02', interval 1 day) as days(day)
