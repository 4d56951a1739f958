-- What is known of the file's staff, in the file's own columns.
select latest.n, display_name, school_id, is_active, email
from stored
join latest on latest.id = cast(stored.id as uuid)
