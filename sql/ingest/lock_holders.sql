-- Who holds the lock that one import at a time has: the name that the program gave itself, and the server's process.
select pg_stat_activity.application_name, pg_locks.pid
from pg_locks
join pg_stat_activity using (pid)
where pg_locks.locktype = 'advisory' and pg_locks.granted
    and pg_locks.database = (select oid from pg_database where datname = current_database())
    and cast(pg_locks.classid as bigint) = case when hashtext('edupulse import') < 0 then 4294967295 else 0 end
    and cast(pg_locks.objid as bigint) = hashtext('edupulse import') & 4294967295
order by pg_locks.pid
