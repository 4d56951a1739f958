-- Every week of every spell that a row needs, for itself or as "eight weeks ago", with the student's place among
-- classmates: the share of those with marked work in the last four weeks who did worse, ties counting half, in
-- units of 1e-9. Classmates are seen as each was known on that day, because only valid weeks stand in the ranking.
with spelled as (
    select
        grade_timelines.timeline_no,
        grade_timelines.school_no,
        grade_timelines.valid_weeks,
        course_spells.* exclude (timeline_no),
        unnest(range(course_spells.week, least(course_spells.next_week, grade_timelines.last_week + 1))) as at_week
    from course_spells
    join grade_timelines using (timeline_no)
),

needed as (
    select
        spelled.timeline_no,
        spelled.course_no,
        spelled.at_week::integer as week,
        weeks.as_of,
        spelled.grade_points,
        spelled.failing,
        spelled.compared,
        spelled.declining,
        case
            when (spelled.valid_weeks >> spelled.at_week) & 1 = 0 then null
            when spelled.at_week = spelled.week then spelled.recent_0
            when spelled.at_week = spelled.week + 1 then spelled.recent_1
            when spelled.at_week = spelled.week + 2 then spelled.recent_2
            when spelled.at_week = spelled.week + 3 then spelled.recent_3
        end as recent
    from spelled
    join weeks
        on weeks.school_no = spelled.school_no
        and weeks.week = spelled.at_week
    where ((spelled.valid_weeks | (spelled.valid_weeks >> 8)) >> spelled.at_week) & 1 = 1
),

ranked as (
    select
        * exclude (course_no, as_of),
        rank() over by_mean as place,
        count(*) over (by_mean range unbounded preceding) as not_ahead,
        count(recent) over (partition by course_no, as_of) as classmates
    from needed
    window by_mean as (partition by course_no, as_of order by recent)
)

select
    timeline_no,
    week,
    grade_points,
    failing,
    compared,
    declining,
    case
        when recent is not null and classmates >= 2
            then round(1e9 * (place + not_ahead - 2) / (2 * (classmates - 1)))
    end as standing
from ranked
