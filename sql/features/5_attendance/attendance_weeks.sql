-- Weeks with an absence or a late arrival: what was missed, in parts of a day, and the run of whole days missed at the
-- last of them, as one number (place × 1000 + length), with the longest run reached.
select
    timeline_no,
    week,
    sum(unexcused_parts)::integer as unexcused_parts,
    sum(excused_parts)::integer as excused_parts,
    sum(if(isodow(date) in (1, 5), unexcused_parts + excused_parts, 0))::integer as monday_friday_parts,
    sum(tardies)::integer as tardies,
    sum((unexcused_parts + excused_parts > 0 and not whole_day)::integer)::integer as partial_days,
    max(if(whole_day, place * 1000 + length, null))::integer as last_run,
    max(if(whole_day, length, null))::integer as longest_run
from absence_runs
group by timeline_no, week
