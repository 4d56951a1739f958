-- Rows whose attendance was known otherwise than finally: through the roll, through a school that submitted late,
-- or through a record that was entered late or corrected since.
with unsettled as (
    select
        student_schools.base_no,
        week_of_date.as_of as first_as_of,
        attendance_exceptions.recorded_at,
        attendance_exceptions.superseded_at
    from attendance_exceptions
    join student_schools using (student_no)
    join week_of_date
        on week_of_date.school_no = student_schools.school_no
        and week_of_date.date = attendance_exceptions.date
    where coalesce(attendance_exceptions.superseded_at, attendance_exceptions.recorded_at) >= week_of_date.as_of
),

through_the_roll as (
    select student_weeks.row_key
    from student_weeks
    join stay_views using (student_no, as_of)
),

through_the_school as (
    select student_weeks.row_key
    from student_weeks
    join (select distinct student_no, school_no from year_stays) as visited
        on visited.student_no = student_weeks.student_no
    join late_calendar
        on late_calendar.school_no = visited.school_no
        and late_calendar.as_of = student_weeks.as_of
),

through_a_record as (
    select student_weeks.row_key
    from unsettled
    join student_weeks
        on student_weeks.base_no = unsettled.base_no
        and student_weeks.as_of >= unsettled.first_as_of
        and student_weeks.as_of <= coalesce(unsettled.superseded_at, unsettled.recorded_at)
    where unsettled.superseded_at is null
       or unsettled.recorded_at < student_weeks.as_of
)

select row_key from through_the_roll
union
select row_key from through_the_school
union
select row_key from through_a_record
