-- Where each row stands among the students of its presentation who are enrolled on the same day, and how far it is from
-- the mean of the class. Means are whole millionths, so that sums are exact.
select
    row_key,
    among_classmates(school_no, lead_mean)::float as lead_percentile,
    among_classmates(school_no, mark_mean)::float as score_percentile,
    among_classmates(school_no, work_sums.weighted_points)::float as weighted_points_percentile,
    among_classmates(school_no, ontime_share_ytd)::float as ontime_share_percentile,
    among_classmates(school_no, ontime_share_4w)::float as ontime_share_4w_percentile,
    among_classmates(school_no, late_share_ytd)::float as late_share_percentile,
    among_classmates(school_no, missing_share_ytd)::float as missing_share_percentile,
    among_classmates(school_no, coursework.missing_streak)::float as missing_streak_percentile,
    among_classmates(school_no, days_since_submission)::float as days_since_submission_percentile,
    among_classmates(school_no, submitted_ahead)::float as submitted_ahead_percentile,
    among_classmates(school_no, submissions_4w)::float as submissions_4w_percentile,
    among_classmates(school_no, lead_last)::float as lead_last_percentile,
    among_classmates(school_no, lead_previous)::float as lead_previous_percentile,
    among_classmates(school_no, lead_sd)::float as lead_sd_percentile,
    among_classmates(school_no, weight_submitted_share)::float as weight_submitted_share_percentile,
    among_classmates(school_no, score_last)::float as score_last_percentile,
    among_classmates(school_no, score_previous)::float as score_previous_percentile,
    among_classmates(school_no, score_min)::float as score_min_percentile,
    among_classmates(school_no, score_sd)::float as score_sd_percentile,
    among_classmates(school_no, score_trend)::float as score_trend_percentile,
    among_classmates(school_no, weighted_score_ytd)::float as weighted_score_percentile,
    among_classmates(school_no, cma_mean)::float as cma_percentile,
    among_classmates(school_no, tma_mean)::float as tma_percentile,
    ((lead_mean - sum(lead_mean) over class / count(lead_mean) over class) / 1e6)::float as lead_vs_class,
    ((mark_mean - sum(mark_mean) over class / count(mark_mean) over class) / 1e6)::float as score_vs_class
from work_sums
join coursework using (row_key, school_no, as_of)
window class as (partition by school_no, as_of)
