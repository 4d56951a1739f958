-- Every piece of coursework that each row could see on its day: there are few, so the row looks at each directly.
select
    student_weeks.row_key,
    student_weeks.as_of,
    known_work.* exclude (student_no, recorded_at, superseded_at),
    known_work.due_date < student_weeks.as_of as is_due,
    struct_pack(day := known_work.date, assignment := known_work.assignment) as hand_in_order,
    struct_pack(day := known_work.due_date, assignment := known_work.assignment) as due_order
from student_weeks
join known_work using (student_no)
where known_work.date < student_weeks.as_of
  and known_work.recorded_at < student_weeks.as_of
  and (known_work.superseded_at is null or known_work.superseded_at >= student_weeks.as_of)
