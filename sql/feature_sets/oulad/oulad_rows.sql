-- The rows of the feature store with what a distance university adds: hand-ins, scores, deadlines and registration.
select
    features.*,
    true as has_course,
    coursework.* exclude (row_key, school_no, as_of) replace (
        coalesce(coursework.due_ytd, 0::float) as due_ytd,
        coalesce(coursework.weight_due, 0::float) as weight_due,
        coalesce(coursework.scored, 0::float) as scored
    ),
    class_standing.* exclude (row_key),
    (deadlines.next_due - features.as_of)::float as days_to_next_due,
    case when deadlines.next_due is not null then (next_work.row_key is not null)::integer end::float
        as next_due_submitted,
    (features.as_of - 1 - deadlines.last_due)::float as days_since_due,
    registration_features.registration_lead::float as registration_lead,
    registration_features.credits::float as credits,
    registration_features.previous_attempts::float as previous_attempts,
    registration_features.late_entry::integer::float as late_entry,
    registration_features.concurrent::float as concurrent,
    registration_features.earlier_presentations::float as earlier_presentations,
    registration_features.registration_percentile::float as registration_percentile,
    coalesce(class_effect.class_effect, 0::float) as class_effect
from features
join student_weeks using (row_key)
left join coursework on coursework.row_key = features.row_key
left join class_standing on class_standing.row_key = features.row_key
left join next_work on next_work.row_key = features.row_key
left join registration_features on registration_features.row_key = features.row_key
left join deadlines
    on deadlines.school_no = student_weeks.school_no
    and deadlines.as_of = student_weeks.as_of
left join class_effect
    on class_effect.school_no = student_weeks.school_no
    and class_effect.as_of = student_weeks.as_of
