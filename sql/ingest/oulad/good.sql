-- The good rows of a published file, each once, as the text that stands there.
select raw.* exclude (n)
from raw
join staged using (n)
left join repeats using (n)
where staged.problem is null and (repeats.n is null or repeats.verdict = 'kept')
order by n
