-- What people answered about each model version's scores between two moments.
select
    predictions.model_version,
    count(*) as feedback,
    sum(case when training_feedback.feedback_type = 'true_positive' then 1 else 0 end) as true_positive,
    sum(case when training_feedback.feedback_type = 'false_positive' then 1 else 0 end) as false_positive,
    sum(case when training_feedback.feedback_type = 'true_negative' then 1 else 0 end) as true_negative,
    sum(case when training_feedback.feedback_type = 'false_negative' then 1 else 0 end) as false_negative,
    avg(predictions.risk_score) as mean_risk,
    avg(predictions.confidence) as mean_confidence
from training_feedback
inner join predictions on predictions.id = training_feedback.prediction_id
where training_feedback.created_at >= :since and training_feedback.created_at < :until
group by predictions.model_version
order by predictions.model_version
