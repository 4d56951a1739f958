-- What a registration says in each row, as known on its day.
with others as (
    select
        student_weeks.row_key,
        count(*) filter (other.presentation = own.presentation) as concurrent,
        count(*) filter (other.start < own.start) as earlier_presentations
    from student_weeks
    join registrations as own
        on own.student_no = student_weeks.student_no
        and own.school_no = student_weeks.school_no
    join registrations as other
        on other.person = own.person
        and other.student_no <> own.student_no
        and other.entered < student_weeks.as_of
        and other.registered_at < student_weeks.as_of
    group by student_weeks.row_key
),

leads as (
    select
        student_weeks.row_key,
        student_weeks.school_no,
        student_weeks.as_of,
        greatest(least(own.start - own.registered_at::date, 300), -60) as registration_lead,
        own.registered_at::date > own.start as late_entry,
        case when own.credits is not null then least(own.credits, 240) end as credits,
        case when own.previous_attempts is not null then least(own.previous_attempts, 4) end as previous_attempts
    from student_weeks
    join registrations as own
        on own.student_no = student_weeks.student_no
        and own.school_no = student_weeks.school_no
)

select
    leads.row_key,
    leads.registration_lead,
    leads.late_entry,
    leads.credits,
    leads.previous_attempts,
    coalesce(others.concurrent, 0) as concurrent,
    coalesce(others.earlier_presentations, 0) as earlier_presentations,
    percent_rank() over (partition by leads.school_no, leads.as_of order by leads.registration_lead)
        as registration_percentile
from leads
left join others using (row_key)
