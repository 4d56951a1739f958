-- The moment from which each school is known to report discipline this year: when the first incident of a student
-- who had come to it was known. Until then no incident means no data. Never taken back by a later correction.
select
    week_of_date.school_no,
    min(greatest(
        known_incidents.recorded_at,
        known_incidents.date::timestamp,
        year_stays.recorded_at
    )) as reported_at
from known_incidents
join year_stays
    on year_stays.student_no = known_incidents.student_no
    and year_stays.entry_date <= known_incidents.date
join week_of_date
    on week_of_date.school_no = year_stays.school_no
    and week_of_date.date = known_incidents.date
group by week_of_date.school_no
