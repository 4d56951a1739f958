-- The staff the store has, to compare with.
select
    cast(id as uuid) as id,
    hash(display_name, role, school_id, cast(is_active as boolean), email) as content
from stored
