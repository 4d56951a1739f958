-- Weeks with an absence or a late arrival: what was missed, in parts of a day, and the run of whole days missed at the
-- last of them, as one number (place × 1000 + length), with the longest run reached.
with runs as (
    select timeline_no, week, max(place * 1000 + length)::integer as last_run, max(length)::integer as longest_run
    from absence_runs
    group by timeline_no, week
),

missed as (
    select
        timeline_no,
        week,
        sum(unexcused_parts)::integer as unexcused_parts,
        sum(excused_parts)::integer as excused_parts,
        coalesce(sum(unexcused_parts + excused_parts) filter (isodow(date) in (1, 5)), 0)::integer
            as monday_friday_parts,
        sum(tardies)::integer as tardies,
        count(*) filter (unexcused_parts + excused_parts > 0 and not whole_day)::integer as partial_days
    from absences
    group by timeline_no, week
)

select missed.*, runs.last_run, runs.longest_run
from missed
left join runs using (timeline_no, week)
