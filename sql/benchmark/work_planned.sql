-- The plan of each presentation: its pieces of work in the order of their due days, counted from its first day.
select
    due.id_assessment,
    due.school_id,
    due.assessment_type,
    due.weight,
    due.due_date - presentations.starts as due_day,
    row_number() over (partition by due.school_id order by due.due_date, due.id_assessment) as place
from due
join presentations using (school_id)
