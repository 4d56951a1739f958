-- Six courses a student and twenty assignments a course, in classes of about thirty.
with numbered as (
    select
        number,
        (1 + number // 120)::integer as student_no,
        (number // 20) % 6 as subject,
        number % 20 as assignment,
        hash(number) as draw
    from range(getvariable('students') * 120) as numbers(number)
),

records as (
    select
        *,
        date '2023-08-28' + (assignment * 14 + draw % 14)::integer as submission_date,
        (draw >> 20) % 1000 as chance,
        ((draw >> 40) % 14)::integer as delay,
        ((draw >> 44) % 41)::integer - 20 as luck,
        (hash(student_no, subject) % 50)::integer as skill
    from numbered
)

select
    student_no,
    'C' || (1 + (student_no - 1) // 1000) || '-' || subject || '-' || hash(student_no, subject, 'class') % 33 as course_id,
    'work ' || assignment as assignment,
    case when (draw >> 30) % 100 < 4 then null else greatest(0, least(100, 50 + skill + luck))::double end as grade_value,
    submission_date,
    submission_date as due_date,
    1.0 as weight,
    case when assignment % 4 = 3 then 'test' else 'homework' end as assignment_type,
    submission_date::timestamp + interval 18 hour + case when chance < 4 then to_days(delay) else interval 0 day end
        as recorded_at,
    case when chance = 4 then submission_date::timestamp + interval 42 hour + to_days(delay) end as superseded_at
from records
order by student_no, submission_date
