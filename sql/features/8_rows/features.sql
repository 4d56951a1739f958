-- The rows of the feature store: every feature of every student and week, as 4-byte floats. Null is no data; an
-- incident count is nought only where the school is known to report discipline.
with bases as (
    select
        base_weeks.base_no,
        base_weeks.school_no,
        base_weeks.grade_level,
        students.student_id::varchar as student_id,
        students.person,
        schools.school_id,
        coalesce(discipline_reported.reported_at, timestamp '9999-12-31') as reported_at
    from students
    join base_weeks using (student_no)
    join schools using (school_no)
    left join discipline_reported using (school_no)
    where base_weeks.base_no * 64 between getvariable('first_row') and getvariable('last_row')
),

incidents_so_far as (
    select * from discipline_features where row_key between getvariable('first_row') and getvariable('last_row')
),

placed as (
    select
        bases.* exclude (base_no, school_no, grade_level, reported_at),
        record_features.* exclude (valid_base),
        incidents_so_far.* exclude (row_key),
        weeks.week_start,
        weeks.as_of,
        if(other_grade_levels.row_key is null, bases.grade_level, other_grade_levels.grade_level) as grade_level,
        bases.reported_at < weeks.as_of as reported,
        if(reported, 0, null) as nought
    from record_features
    left join incidents_so_far using (row_key)
    join bases on bases.base_no = record_features.valid_base
    join weeks
        on weeks.school_no = bases.school_no
        and weeks.week = record_features.week
    left join other_grade_levels using (row_key)
),

moves as (
    select * from context where row_key between getvariable('first_row') and getvariable('last_row')
)

select
    placed.row_key,
    student_id,
    person,
    school_id,
    getvariable('school_year')::integer as school_year,
    week::integer as week,
    week_start,
    as_of,
    grade_level::float as grade_level,
    weeks_enrolled::float as weeks_enrolled,
    week::float as week_of_year,
    coalesce(moves.earlier_entries, 0)::float as earlier_entries,
    coalesce(moves.earlier_exits, 0)::float as earlier_exits,
    has_attendance,
    has_grades,
    reported as has_discipline,
    attendance_rate_1w::float as attendance_rate_1w,
    attendance_rate_4w::float as attendance_rate_4w,
    attendance_rate_8w::float as attendance_rate_8w,
    attendance_rate_ytd::float as attendance_rate_ytd,
    unexcused_absences_1w::float as unexcused_absences_1w,
    unexcused_absences_4w::float as unexcused_absences_4w,
    excused_absences_4w::float as excused_absences_4w,
    tardies_4w::float as tardies_4w,
    current_absence_streak::float as current_absence_streak,
    longest_absence_streak_ytd::float as longest_absence_streak_ytd,
    monday_friday_absence_share_8w::float as monday_friday_absence_share_8w,
    partial_day_share_4w::float as partial_day_share_4w,
    attendance_trend_8w::float as attendance_trend_8w,
    attendance_volatility_8w::float as attendance_volatility_8w,
    grade_mean_4w::float as grade_mean_4w,
    grade_mean_ytd::float as grade_mean_ytd,
    gpa_current::float as gpa_current,
    gpa_change_8w::float as gpa_change_8w,
    grade_trend_8w::float as grade_trend_8w,
    grade_volatility_8w::float as grade_volatility_8w,
    grade_min_4w::float as grade_min_4w,
    courses_failing::float as courses_failing,
    courses_failing_share::float as courses_failing_share,
    courses_declining::float as courses_declining,
    missing_work_4w::float as missing_work_4w,
    assignments_4w::float as assignments_4w,
    if(last_work is null, null, least(as_of - date '1970-01-01' - 1 - last_work, 60))::float as days_since_graded_work,
    test_minus_homework_8w::float as test_minus_homework_8w,
    course_percentile_4w::float as course_percentile_4w,
    coalesce(incidents_1w, nought)::float as incidents_1w,
    coalesce(incidents_4w, nought)::float as incidents_4w,
    coalesce(incidents_ytd, nought)::float as incidents_ytd,
    coalesce(max_severity_4w, nought)::float as max_severity_4w,
    coalesce(severity_sum_8w, nought)::float as severity_sum_8w,
    coalesce(severity_sum_ytd, nought)::float as severity_sum_ytd,
    coalesce(serious_incidents_ytd, nought)::float as serious_incidents_ytd,
    coalesce(weeks_since_incident, if(reported, 40, null))::float as weeks_since_incident,
    coalesce(incident_trend_8w, if(week >= 3, nought, null))::float as incident_trend_8w,
    severity_change_8w::float as severity_change_8w,
    coalesce(distinct_types_ytd, nought)::float as distinct_types_ytd,
    coalesce(repeated_type_8w, nought)::float as repeated_type_8w,
    coalesce(removal_days_8w, nought)::float as removal_days_8w
from placed
left join moves
    on moves.row_key = placed.row_key
