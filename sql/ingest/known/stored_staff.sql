-- The staff of the store.
select cast(id as uuid) as id, username
from stored
