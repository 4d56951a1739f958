-- Assessments that count: those for which anybody has a result. The others are exams whose results the university did
-- not publish; nobody can be late for them. One without a date is due on the module's last day.
select
    assessments.id_assessment,
    presentations.school_id,
    presentations.module,
    coalesce(presentations.starts + as_integer(assessments.date), presentations.ends) as due_date,
    assessments.assessment_type,
    as_number(assessments.weight) as weight
from assessments
join presentations
    on presentations.module = assessments.code_module and presentations.presentation = assessments.code_presentation
where assessments.id_assessment in (select id_assessment from results)
