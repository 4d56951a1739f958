-- The rows of the feature store with what a distance university adds: hand-ins, scores, deadlines and registration.
select
    features.*,
    true as has_course,
    (on_time / nullif(due, 0))::float as ontime_share_ytd,
    (on_time_4 / nullif(due_4, 0))::float as ontime_share_4w,
    (late / nullif(due, 0))::float as late_share_ytd,
    (missing / nullif(due, 0))::float as missing_share_ytd,
    case when due > 0 then missing end::float as missing_ytd,
    case when due > 0 then missing_streak end::float as missing_streak,
    (features.as_of - last_submission)::float as days_since_submission,
    ahead::float as submitted_ahead,
    submissions_4::float as submissions_4w,
    (lead_mean / 1e6)::float as lead_mean_ytd,
    last_leads[1]::float as lead_last,
    last_leads[2]::float as lead_previous,
    case when n >= 2 then sqrt((n * lead_squares - lead_sum * lead_sum) / (n * (n - 1))) end::float as lead_sd,
    class_standing.lead_percentile::float as lead_percentile,
    class_standing.lead_vs_class::float as lead_vs_class,
    coalesce(due, 0)::float as due_ytd,
    last_due_missing::integer::float as last_due_missing,
    last_due_late::integer::float as last_due_late,
    (coalesce(weight_handed_in, 0) / nullif(weight_due, 0))::float as weight_submitted_share,
    (mark_mean / 1e6)::float as score_mean_ytd,
    (last_marks[1] / 100)::float as score_last,
    (last_marks[2] / 100)::float as score_previous,
    (least_mark / 100)::float as score_min,
    (case when n >= 2 then sqrt((n * mark_squares - marks * marks) / (n * (n - 1))) end / 100)::float as score_sd,
    (last_marks[1] / 100 - mark_mean / 1e6)::float as score_trend,
    (weighted_marks / nullif(weight_marked, 0) / 100)::float as weighted_score_ytd,
    (weighted_points / 1e6)::float as weighted_points,
    coalesce(n, 0)::float as scored,
    class_standing.score_percentile::float as score_percentile,
    class_standing.weighted_points_percentile::float as weighted_points_percentile,
    class_standing.score_vs_class::float as score_vs_class,
    (cma_marks / nullif(cma, 0) / 100)::float as cma_mean,
    (tma_marks / nullif(tma, 0) / 100)::float as tma_mean,
    (deadlines.next_due - features.as_of)::float as days_to_next_due,
    case when deadlines.next_due is not null then (next_work.row_key is not null)::integer end::float
        as next_due_submitted,
    (features.as_of - 1 - deadlines.last_due)::float as days_since_due,
    (coalesce(weight_due, 0) / 100)::float as weight_due,
    registration_features.registration_lead::float as registration_lead,
    registration_features.credits::float as credits,
    registration_features.previous_attempts::float as previous_attempts,
    registration_features.late_entry::integer::float as late_entry,
    registration_features.concurrent::float as concurrent,
    registration_features.earlier_presentations::float as earlier_presentations,
    registration_features.registration_percentile::float as registration_percentile
from features
join student_weeks using (row_key)
left join work_sums on work_sums.row_key = features.row_key
left join class_standing on class_standing.row_key = features.row_key
left join next_work on next_work.row_key = features.row_key
left join registration_features on registration_features.row_key = features.row_key
left join deadlines
    on deadlines.school_no = student_weeks.school_no
    and deadlines.as_of = student_weeks.as_of
