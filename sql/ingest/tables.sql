-- What one import keeps beside the file it is at.
create temp table codes (field varchar, code varchar, value varchar);
create temp table known_students (student_no bigint, id uuid, district_id varchar);
create temp table known_schools (id varchar, periods_per_day integer, submitted_through date);
create temp table known_calendar (first_day date, last_day date);
create temp table known_enrollments (student_id uuid, school_id varchar);
create temp table known_staff (id uuid, username varchar);
create temp table set_aside_students (district_id varchar);
create temp table rejects (file varchar, line bigint, column_name varchar, reason varchar, value varchar);
