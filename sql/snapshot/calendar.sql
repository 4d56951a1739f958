select schools.school_no, source.date, source.school_year, source.day_type, source.submitted_at
from source
inner join schools on schools.school_id = source.school_id
