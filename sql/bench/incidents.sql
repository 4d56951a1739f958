-- Incidents of every eighth student, one to six of them.
with records as (
    select
        students.student_no,
        hash(students.student_no, number) as draw
    from students
    cross join range(6) as numbers(number)
    where hash(students.student_no, 'incidents') % 8 = 0
      and number <= hash(students.student_no, 'number') % 6
),

dated as (
    select
        *,
        date '2023-08-28' + (draw % 270)::integer as incident_date,
        (draw >> 20) % 1000 as chance,
        ((draw >> 40) % 14)::integer as delay
    from records
)

select
    student_no,
    incident_date,
    (1 + (draw >> 24) % 5)::integer as severity_level,
    case (draw >> 28) % 4 when 0 then 'disruption' when 1 then 'fighting' when 2 then 'dress code' else 'defiance' end
        as incident_type,
    case (draw >> 32) % 4 when 0 then '2 days suspension' else 'warning' end as resolution,
    incident_date::timestamp + interval 14 hour + case when chance < 4 then to_days(delay) else interval 0 day end
        as recorded_at,
    case when chance = 4 then incident_date::timestamp + interval 38 hour + to_days(delay) end as superseded_at
from dated
order by student_no, incident_date
