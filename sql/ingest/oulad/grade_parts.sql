-- What the canonical grades are: scores, and blanks for work that was due and not there.
select
    case
        when grade_value is not null then 'with a score'
        when superseded_at is not null then 'blank until the work came in late'
        else 'blank: due and never handed in'
    end as part,
    count(*) as records
from told
group by all
order by records desc, part
