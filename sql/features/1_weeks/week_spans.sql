-- For every number of weeks the weeks it is made of, 0 … weeks - 1: what a spell of weeks is laid out with.
select
    weeks,
    unnest(range(weeks))::integer as past
from (select unnest(range(1, 65))::integer as weeks)
