-- Students whose latest category is high or critical, the highest risk first.
select
    student_id,
    district_id,
    first_name,
    last_name,
    grade_level,
    risk_score,
    risk_category,
    confidence,
    as_of,
    model_version
from student_risk_summary
where risk_category in ('high', 'critical')
order by risk_score desc, district_id
