-- The latest known attendance rate and grade point average of each student scored as of as_of, unless a later week
-- has been scored already.
update students
set
    attendance_rate = coalesce(
        (
            select f.attendance_rate from student_features as f
            where f.student_id = students.id and f.feature_date = :as_of
        ),
        attendance_rate
    ),
    gpa = coalesce(
        (
            select case when f.gpa_current > 4 then 4 else f.gpa_current end from student_features as f
            where f.student_id = students.id and f.feature_date = :as_of
        ),
        gpa
    )
where id in (select student_id from student_features where feature_date = :as_of)
    and id not in (select student_id from student_features where feature_date > :as_of)
