-- The good rows of studentInfo.csv, each once, without the values that were left out.
select
    raw.* exclude (n) replace (
        case when not slipped(slips, 'gender') then gender end as gender,
        case when not slipped(slips, 'imd_band') then imd_band end as imd_band,
        case when not slipped(slips, 'num_of_prev_attempts') then num_of_prev_attempts end as num_of_prev_attempts,
        case when not slipped(slips, 'studied_credits') then studied_credits end as studied_credits
    )
from raw
join staged using (n)
left join repeats using (n)
where staged.problem is null and (repeats.n is null or repeats.verdict = 'kept')
order by n
