-- Pieces of work whose row was set aside: whether and when they were handed in is not known.
select distinct raw.id_assessment, raw.id_student
from raw
join faults using (n)
anti join results on results.id_assessment = raw.id_assessment and results.id_student = raw.id_student
