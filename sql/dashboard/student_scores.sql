-- A student's stored scores between two days, the latest first; of two models that scored one week, what was said last.
select
    score.id as prediction_id,
    score.as_of,
    score.horizon_days,
    score.risk_score,
    score.risk_category,
    score.model_version
from predictions as score
where
    score.student_id = :student_id
    and not score.shadow
    and score.as_of >= :since
    and score.as_of <= :as_of
order by score.as_of desc, score.prediction_date desc, score.model_version desc
