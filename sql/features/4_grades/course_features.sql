-- Courses of each timeline and week, counted.
select
    timeline_no,
    week,
    count(*)::integer as courses,
    sum(grade_points)::integer as grade_points,
    sum(failing)::integer as failing,
    sum(compared)::integer as compared,
    sum(declining)::integer as declining,
    sum(standing) as standing,
    count(standing)::integer as ranked
from course_weeks
group by timeline_no, week
