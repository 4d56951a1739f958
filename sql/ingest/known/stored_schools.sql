-- The schools of the store.
select school_id as id, cast(submitted_through as date) as submitted_through
from stored
