-- Rows at whose week end something was known otherwise than it is finally: through the roll, through a school that
-- submitted late, or through a record that was entered late or corrected since.
with unsettled as (
    select
        student_schools.base_no,
        week_of_date.as_of as first_as_of,
        unsettled_records.recorded_at,
        unsettled_records.superseded_at
    from unsettled_records
    join student_schools using (student_no)
    join week_of_date
        on week_of_date.school_no = student_schools.school_no
        and week_of_date.date = unsettled_records.date
    where coalesce(unsettled_records.superseded_at, unsettled_records.recorded_at) >= week_of_date.as_of
),

visited as (
    select distinct year_stays.student_no, late_calendar.as_of
    from year_stays
    join late_calendar using (school_no)
)

select student_weeks.row_key
from student_weeks
join stay_views using (student_no, as_of)

union

select student_weeks.row_key
from student_weeks
join visited using (student_no, as_of)

union

select student_weeks.row_key
from unsettled
join student_weeks
    on student_weeks.base_no = unsettled.base_no
    and known_otherwise(student_weeks.as_of, first_as_of, recorded_at, superseded_at)

union

select row_key from dirty_courses
