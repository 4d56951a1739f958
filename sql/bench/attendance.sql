-- A row for every student and instructional day. Of 1000 records four are entered up to two weeks late, and one is
-- corrected within three weeks.
with days as (
    select distinct date from calendar where day_type = 'instructional'
),

draws as (
    select
        students.student_no,
        days.date,
        hash(students.student_no, days.date) as draw,
        2 + hash(students.student_no) % 10 as habit
    from students
    cross join days
),

records as (
    select
        *,
        case
            when draw % 100 < habit // 2 then 'absent'
            when draw % 100 < habit then 'excused'
            when draw % 100 < habit + 2 then 'tardy'
            else 'present'
        end as status,
        (draw >> 20) % 1000 as chance,
        ((draw >> 40) % 14)::integer as delay
    from draws
)

select
    student_no,
    date,
    null::integer as period,
    status,
    date::timestamp + interval 15 hour + case when chance < 4 then to_days(delay) else interval 0 day end as recorded_at,
    case when chance = 4 then date::timestamp + interval 39 hour + to_days(delay) end as superseded_at
from records
order by student_no, date
