-- Where each row stands among the students of its presentation who are enrolled on the same day, and how far it is from
-- the mean of the class. Means are whole millionths, so that sums are exact.
select
    row_key,
    among_classmates(lead_mean) as lead_percentile,
    among_classmates(mark_mean) as score_percentile,
    among_classmates(work_sums.weighted_points) as weighted_points_percentile,
    among_classmates(ontime_share_ytd) as ontime_share_percentile,
    among_classmates(ontime_share_4w) as ontime_share_4w_percentile,
    among_classmates(late_share_ytd) as late_share_percentile,
    among_classmates(missing_share_ytd) as missing_share_percentile,
    among_classmates(coursework.missing_streak) as missing_streak_percentile,
    among_classmates(days_since_submission) as days_since_submission_percentile,
    among_classmates(submitted_ahead) as submitted_ahead_percentile,
    among_classmates(submissions_4w) as submissions_4w_percentile,
    among_classmates(lead_last) as lead_last_percentile,
    among_classmates(lead_previous) as lead_previous_percentile,
    among_classmates(lead_sd) as lead_sd_percentile,
    among_classmates(weight_submitted_share) as weight_submitted_share_percentile,
    among_classmates(score_last) as score_last_percentile,
    among_classmates(score_previous) as score_previous_percentile,
    among_classmates(score_min) as score_min_percentile,
    among_classmates(score_sd) as score_sd_percentile,
    among_classmates(score_trend) as score_trend_percentile,
    among_classmates(weighted_score_ytd) as weighted_score_percentile,
    among_classmates(cma_mean) as cma_percentile,
    among_classmates(tma_mean) as tma_percentile,
    ((lead_mean - sum(lead_mean) over class / count(lead_mean) over class) / 1e6)::float as lead_vs_class,
    ((mark_mean - sum(mark_mean) over class / count(mark_mean) over class) / 1e6)::float as score_vs_class
from work_sums
join coursework using (row_key, school_no, as_of)
window class as (partition by school_no, as_of)
