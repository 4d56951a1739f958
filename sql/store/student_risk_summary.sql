-- The latest prediction of each student: the one with the latest as_of and, among models that scored the same
-- week, the one given last. A challenger's shadows count for nothing. Students who were never scored are not in it.
with latest as (
    select
        students.id as student_id,
        (
            select candidate.id
            from predictions as candidate
            where candidate.student_id = students.id and not candidate.shadow
            order by candidate.as_of desc, candidate.prediction_date desc, candidate.model_version desc
            limit 1
        ) as prediction_id
    from students
)
select
    students.id as student_id,
    students.district_id,
    students.first_name,
    students.last_name,
    students.grade_level,
    predictions.id as prediction_id,
    predictions.prediction_date,
    predictions.as_of,
    predictions.horizon_days,
    predictions.risk_score,
    predictions.risk_category,
    predictions.confidence,
    predictions.risk_factors,
    predictions.model_version
from latest
inner join predictions on predictions.id = latest.prediction_id
inner join students on students.id = latest.student_id
