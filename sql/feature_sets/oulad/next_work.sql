-- Rows that have handed in work of the next due day already.
select distinct work_seen.row_key
from work_seen
join student_weeks using (row_key)
join deadlines
    on deadlines.school_no = student_weeks.school_no
    and deadlines.as_of = student_weeks.as_of
    and deadlines.next_due = work_seen.due_date
where work_seen.handed_in
