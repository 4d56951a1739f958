-- Each piece of work beside the same piece of the others: how far its score and its lead lie from theirs, in spreads, the
-- standing of its score, and how many of the presentation had handed it in.
with spread as (
    select
        *,
        avg(score) over same as score_mean,
        greatest(stddev_samp(score) over same, 5) as score_spread,
        avg(lead) over same as lead_mean,
        greatest(stddev_samp(lead) over same, 1) as lead_spread,
        avg(is_in::integer) over same as share_in,
        rank() over (partition by id_assessment order by score) as score_rank,
        count(score) over same as scored
    from work_seen
    window same as (partition by id_assessment)
)

select
    * exclude (score_mean, score_spread, lead_mean, lead_spread, score_rank, scored),
    (score - score_mean) / score_spread as score_off,
    (lead - lead_mean) / lead_spread as lead_off,
    case when score is not null then score_rank / scored end as standing,
    struct_pack(due := due_day, piece := id_assessment) as due_order
from spread
