-- The stays of this school year, corrected ones included.
select *
from known_stays
where school_year = getvariable('school_year')
