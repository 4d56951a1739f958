-- Rows whose grade level is not the one that base_weeks gives: students who changed it within the year, or have none.
select student_weeks.row_key, student_weeks.grade_level
from student_weeks
join base_weeks using (base_no)
where student_weeks.grade_level is distinct from base_weeks.grade_level
