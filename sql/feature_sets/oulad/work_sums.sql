-- What each row's coursework adds up to; whole numbers throughout.
with last_handed_in as (
    select row_key, max(due_order) as due_order
    from work_seen
    where is_due and handed_in
    group by row_key
),

streaks as (
    select work_seen.row_key, count(*) as missing_streak
    from work_seen
    left join last_handed_in using (row_key)
    where work_seen.is_due
      and (last_handed_in.due_order is null or work_seen.due_order > last_handed_in.due_order)
    group by work_seen.row_key
),

sums as (
    select
        row_key,
        count(*) filter (is_due) as due,
        count(*) filter (is_due and not handed_in) as missing,
        count(*) filter (is_due and handed_in and date > due_date) as late,
        count(*) filter (is_due and handed_in and date <= due_date) as on_time,
        count(*) filter (is_due and due_date >= as_of - 28) as due_4,
        count(*) filter (is_due and due_date >= as_of - 28 and handed_in and date <= due_date) as on_time_4,
        count(*) filter (handed_in and not is_due) as ahead,
        count(*) filter (handed_in and date >= as_of - 28) as submissions_4,
        max(date) filter (handed_in) as last_submission,
        max_by(not handed_in, due_order) filter (is_due) as last_due_missing,
        max_by(handed_in and date > due_date, due_order) filter (is_due) as last_due_late,
        sum(weight) filter (is_due) as weight_due,
        sum(weight) filter (is_due and handed_in) as weight_handed_in,
        count(*) filter (handed_in) as n,
        sum(lead_days) filter (handed_in) as lead_sum,
        sum(lead_days * lead_days) filter (handed_in) as lead_squares,
        max_by(lead_days, hand_in_order, 2) filter (handed_in) as last_leads,
        sum(mark) as marks,
        sum(mark * mark) as mark_squares,
        min(mark) as least_mark,
        max_by(mark, hand_in_order, 2) filter (handed_in) as last_marks,
        sum(mark * weight) as weighted_marks,
        sum(weight) filter (handed_in) as weight_marked,
        sum(mark * weight) filter (is_due) as weighted_due_marks,
        sum(mark) filter (assignment_type = 'CMA') as cma_marks,
        count(mark) filter (assignment_type = 'CMA') as cma,
        sum(mark) filter (assignment_type = 'TMA') as tma_marks,
        count(mark) filter (assignment_type = 'TMA') as tma
    from work_seen
    group by row_key
)

select
    student_weeks.row_key,
    student_weeks.school_no,
    student_weeks.as_of,
    sums.* exclude (row_key),
    coalesce(streaks.missing_streak, 0) as missing_streak,
    round(1e6 * sums.lead_sum / nullif(sums.n, 0))::bigint as lead_mean,
    round(1e4 * sums.marks / nullif(sums.n, 0))::bigint as mark_mean,
    round(1e4 * coalesce(sums.weighted_due_marks, 0) / nullif(sums.weight_due, 0))::bigint as weighted_points
from student_weeks
join sums using (row_key)
left join streaks using (row_key)
