-- Rows and courses at whose week end some assignment was known otherwise than it is finally: entered late, or
-- corrected since. The other courses of such a row are as the final view shows them.
with unsettled as (
    select
        student_schools.base_no,
        courses.course_no,
        week_of_date.as_of as first_as_of,
        known_grades.recorded_at,
        known_grades.superseded_at
    from known_grades
    join student_schools using (student_no)
    join week_of_date
        on week_of_date.school_no = student_schools.school_no
        and week_of_date.date = known_grades.date
    join courses using (course_id)
    where coalesce(known_grades.superseded_at, known_grades.recorded_at) >= known_grades.date + 1
      and coalesce(known_grades.superseded_at, known_grades.recorded_at) >= week_of_date.as_of
)

select distinct student_weeks.row_key, unsettled.course_no
from unsettled
join student_weeks
    on student_weeks.base_no = unsettled.base_no
    and known_otherwise(student_weeks.as_of, first_as_of, recorded_at, superseded_at)
