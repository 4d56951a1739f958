-- Each row among the students of its presentation who are enrolled on the same day: the share who are behind, ties
-- counting half, and the distance to the mean of the class. Means are whole millionths, so that sums are exact.
with places as (
    select
        row_key,
        lead_mean,
        mark_mean,
        rank() over by_lead + count(*) over (by_lead range unbounded preceding) - 2 as lead_place,
        rank() over by_mark + count(*) over (by_mark range unbounded preceding) - 2 as mark_place,
        rank() over by_points + count(*) over (by_points range unbounded preceding) - 2 as points_place,
        2 * (count(lead_mean) over class - 1) as lead_class,
        2 * (count(mark_mean) over class - 1) as mark_class,
        2 * (count(weighted_points) over class - 1) as points_class,
        weighted_points,
        sum(lead_mean) over class / count(lead_mean) over class as class_lead,
        sum(mark_mean) over class / count(mark_mean) over class as class_mark
    from work_sums
    window
        class as (partition by school_no, as_of),
        by_lead as (partition by school_no, as_of order by lead_mean),
        by_mark as (partition by school_no, as_of order by mark_mean),
        by_points as (partition by school_no, as_of order by weighted_points)
)

select
    row_key,
    case when lead_mean is not null then lead_place / nullif(lead_class, 0) end as lead_percentile,
    case when mark_mean is not null then mark_place / nullif(mark_class, 0) end as score_percentile,
    case when weighted_points is not null then points_place / nullif(points_class, 0) end as weighted_points_percentile,
    (lead_mean - class_lead) / 1e6 as lead_vs_class,
    (mark_mean - class_mark) / 1e6 as score_vs_class
from places
