-- The 14 attendance features of every row, keyed by row_key.
with windows as (
    select
        base_no * 128 + week as row_key,
        (valid_weeks >> week) & 1 = 1 as is_valid,
        days,
        missed_parts,
        unexcused_parts,
        sum(days) over weeks_4 as days_4,
        sum(days) over weeks_8 as days_8,
        sum(days) over year_to_date as days_ytd,
        sum(missed_parts) over weeks_4 as missed_4,
        sum(missed_parts) over weeks_8 as missed_8,
        sum(missed_parts) over year_to_date as missed_ytd,
        sum(unexcused_parts) over weeks_4 as unexcused_4,
        sum(excused_parts) over weeks_4 as excused_4,
        sum(tardies) over weeks_4 as tardies_4,
        sum(monday_friday_parts) over weeks_8 as monday_friday_8,
        sum(partial_days) over weeks_4 as partial_4,
        sum(period_days) over weeks_4 as period_days_4,
        sum(enrolled) over year_to_date as weeks_enrolled,
        max(last_run) over year_to_date as last_run,
        max(longest_run) over year_to_date as longest_run,
        count(rate) over weeks_8 as n,
        sum(case when rate is not null then week::double end) over weeks_8 as sx,
        sum(case when rate is not null then week::double * week end) over weeks_8 as sxx,
        sum(rate) over weeks_8 as sy,
        sum(rate * week) over weeks_8 as sxy,
        sum(rate * rate) over weeks_8 as syy
    from attendance_weeks
    window
        weeks_4 as (partition by timeline_no order by week rows between 3 preceding and current row),
        weeks_8 as (partition by timeline_no order by week rows between 7 preceding and current row),
        year_to_date as (partition by timeline_no order by week rows unbounded preceding)
)

select
    row_key,
    days > 0 as has_attendance,
    weeks_enrolled,
    1 - missed_parts / (27720 * nullif(days, 0)) as attendance_rate_1w,
    1 - missed_4 / (27720 * nullif(days_4, 0)) as attendance_rate_4w,
    1 - missed_8 / (27720 * nullif(days_8, 0)) as attendance_rate_8w,
    1 - missed_ytd / (27720 * nullif(days_ytd, 0)) as attendance_rate_ytd,
    case when days > 0 then unexcused_parts / 27720 end as unexcused_absences_1w,
    case when days_4 > 0 then unexcused_4 / 27720 end as unexcused_absences_4w,
    case when days_4 > 0 then excused_4 / 27720 end as excused_absences_4w,
    case when days_4 > 0 then tardies_4 end as tardies_4w,
    case when days_ytd > 0 then if(last_run // 1000 = days_ytd, last_run % 1000, 0) end as current_absence_streak,
    case when days_ytd > 0 then longest_run end as longest_absence_streak_ytd,
    monday_friday_8 / nullif(missed_8, 0) as monday_friday_absence_share_8w,
    partial_4 / nullif(period_days_4, 0) as partial_day_share_4w,
    case when n >= 3 then (n * sxy - sx * sy) / (n * sxx - sx * sx) / 1e6 end as attendance_trend_8w,
    case when n >= 2 then sqrt((n * syy - sy * sy) / (n * (n - 1))) / 1e6 end as attendance_volatility_8w
from windows
where is_valid
