-- The latest stay of a student that had begun before as_of, with its school and the first day of its school year.
select
    stay.school_id,
    stay.school_year,
    stay.grade_level,
    stay.exit_date,
    schools.name as school,
    schools.week_starts_on,
    (
        select min(day.date)
        from school_calendar as day
        where day.school_id = stay.school_id and day.school_year = stay.school_year and day.day_type <> 'closed'
    ) as first_day
from enrollments as stay
inner join schools on schools.school_id = stay.school_id
where stay.student_id = :student_id and stay.superseded_at is null and stay.entry_date < :as_of
order by stay.entry_date desc, stay.school_id desc
limit 1
