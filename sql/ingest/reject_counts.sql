-- A file's quarantined rows by column and reason, and the first line of each.
select column_name || ':' || reason as fault, count(*) as rows, min(line) as first_line
from rejects
where file = getvariable('file')
group by all
order by rows desc, fault
