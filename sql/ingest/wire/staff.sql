-- Staff on their way to the store, as text that both databases read.
select hex(id) as id, username, display_name, role, school_id, cast(is_active as integer) as is_active, email
from outgoing
order by username
