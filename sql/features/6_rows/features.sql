-- The rows of the feature store: every feature of every student and week, as 4-byte floats. Null is no data; an
-- incident count is nought only where the school is known to report discipline.
with reported_weeks as (
    select
        student_weeks.*,
        coalesce(discipline_reported.reported_at < student_weeks.as_of, false) as reported
    from student_weeks
    left join discipline_reported using (school_no)
)

select
    student_weeks.row_key,
    students.student_id::varchar as student_id,
    students.person,
    schools.school_id,
    getvariable('school_year')::integer as school_year,
    student_weeks.week,
    student_weeks.week_start,
    student_weeks.as_of,
    student_weeks.grade_level::float as grade_level,
    attendance_features.weeks_enrolled::float as weeks_enrolled,
    student_weeks.week::float as week_of_year,
    coalesce(context.earlier_entries, 0)::float as earlier_entries,
    coalesce(context.earlier_exits, 0)::float as earlier_exits,
    coalesce(attendance_features.has_attendance, false) as has_attendance,
    coalesce(grade_features.has_grades, false) as has_grades,
    student_weeks.reported as has_discipline,
    attendance_features.attendance_rate_1w::float as attendance_rate_1w,
    attendance_features.attendance_rate_4w::float as attendance_rate_4w,
    attendance_features.attendance_rate_8w::float as attendance_rate_8w,
    attendance_features.attendance_rate_ytd::float as attendance_rate_ytd,
    attendance_features.unexcused_absences_1w::float as unexcused_absences_1w,
    attendance_features.unexcused_absences_4w::float as unexcused_absences_4w,
    attendance_features.excused_absences_4w::float as excused_absences_4w,
    attendance_features.tardies_4w::float as tardies_4w,
    attendance_features.current_absence_streak::float as current_absence_streak,
    attendance_features.longest_absence_streak_ytd::float as longest_absence_streak_ytd,
    attendance_features.monday_friday_absence_share_8w::float as monday_friday_absence_share_8w,
    attendance_features.partial_day_share_4w::float as partial_day_share_4w,
    attendance_features.attendance_trend_8w::float as attendance_trend_8w,
    attendance_features.attendance_volatility_8w::float as attendance_volatility_8w,
    grade_features.grade_mean_4w::float as grade_mean_4w,
    grade_features.grade_mean_ytd::float as grade_mean_ytd,
    grade_features.gpa_current::float as gpa_current,
    grade_features.gpa_change_8w::float as gpa_change_8w,
    grade_features.grade_trend_8w::float as grade_trend_8w,
    grade_features.grade_volatility_8w::float as grade_volatility_8w,
    grade_features.grade_min_4w::float as grade_min_4w,
    grade_features.courses_failing::float as courses_failing,
    grade_features.courses_failing_share::float as courses_failing_share,
    grade_features.courses_declining::float as courses_declining,
    grade_features.missing_work_4w::float as missing_work_4w,
    grade_features.assignments_4w::float as assignments_4w,
    grade_features.days_since_graded_work::float as days_since_graded_work,
    grade_features.test_minus_homework_8w::float as test_minus_homework_8w,
    grade_features.course_percentile_4w::float as course_percentile_4w,
    coalesce(discipline_features.incidents_1w, if(student_weeks.reported, 0, null))::float as incidents_1w,
    coalesce(discipline_features.incidents_4w, if(student_weeks.reported, 0, null))::float as incidents_4w,
    coalesce(discipline_features.incidents_ytd, if(student_weeks.reported, 0, null))::float as incidents_ytd,
    coalesce(discipline_features.max_severity_4w, if(student_weeks.reported, 0, null))::float as max_severity_4w,
    coalesce(discipline_features.severity_sum_8w, if(student_weeks.reported, 0, null))::float as severity_sum_8w,
    coalesce(discipline_features.severity_sum_ytd, if(student_weeks.reported, 0, null))::float as severity_sum_ytd,
    coalesce(discipline_features.serious_incidents_ytd, if(student_weeks.reported, 0, null))::float as serious_incidents_ytd,
    coalesce(discipline_features.weeks_since_incident, if(student_weeks.reported, 40, null))::float as weeks_since_incident,
    case
        when discipline_features.row_key is not null then discipline_features.incident_trend_8w
        when student_weeks.reported and student_weeks.week >= 3 then 0
    end::float as incident_trend_8w,
    discipline_features.severity_change_8w::float as severity_change_8w,
    coalesce(discipline_features.distinct_types_ytd, if(student_weeks.reported, 0, null))::float as distinct_types_ytd,
    coalesce(discipline_features.repeated_type_8w, if(student_weeks.reported, 0, null))::float as repeated_type_8w,
    coalesce(discipline_features.removal_days_8w, if(student_weeks.reported, 0, null))::float as removal_days_8w
from reported_weeks as student_weeks
join students using (student_no)
join schools using (school_no)
left join attendance_features using (row_key)
left join grade_features using (row_key)
left join discipline_features
    on discipline_features.row_key = student_weeks.row_key
    and student_weeks.reported
left join context on context.row_key = student_weeks.row_key
