-- Everybody with a stay at a school in its latest school year.
select distinct stay.student_id
from enrollments as stay
where
    stay.school_id = :school_id
    and stay.superseded_at is null
    and stay.school_year = (select max(school_year) from enrollments where school_id = :school_id)
