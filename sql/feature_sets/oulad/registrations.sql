-- One registration per student and school: how early it was, and what the student takes on.
with starts as (
    select school_no, min(date) as start from known_calendar group by school_no
)

select
    students.student_no,
    known_stays.school_no,
    students.person,
    split_part(schools.school_id, '_', 2) as presentation,
    coalesce(starts.start, min(known_stays.entry_date)) as start,
    min(known_stays.entry_date) as entered,
    min(known_stays.recorded_at) as registered_at,
    try_cast(json_extract_string(students.metadata, '$.studied_credits') as integer) as credits,
    try_cast(json_extract_string(students.metadata, '$.previous_attempts') as integer) as previous_attempts
from known_stays
join students using (student_no)
join schools using (school_no)
left join starts using (school_no)
group by students.student_no, known_stays.school_no, students.person, students.metadata, schools.school_id, starts.start
