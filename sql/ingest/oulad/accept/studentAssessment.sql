-- A piece of work that somebody handed in; without a score it is known as handed in.
with typed as (
    select
        raw.*,
        assessments.id_assessment as known_assessment,
        people.id_student as person,
        presentations.starts + as_integer(date_submitted) as handed_in,
        as_number(score) as points,
        as_integer(is_banked) as banked
    from raw
    left join assessments using (id_assessment)
    left join presentations
        on presentations.module = assessments.code_module and presentations.presentation = assessments.code_presentation
    left join people
        on people.code_module = assessments.code_module and people.code_presentation = assessments.code_presentation
        and people.id_student = raw.id_student
)

select
    n,
    concat_ws(chr(31), id_assessment, id_student) as id,
    hash(handed_in, points, banked) as content,
    coalesce(
        bad_number('id_assessment', id_assessment),
        unread('id_assessment', id_assessment, known_assessment, 'unknown_assessment'),
        bad_number('id_student', id_student),
        unread('id_student', id_student, person, 'unregistered_student'),
        missing('date_submitted', date_submitted),
        unread('date_submitted', date_submitted, handed_in, 'invalid_number'),
        off_calendar('date_submitted', handed_in, 366),
        in_future('date_submitted', handed_in, 0),
        unread('score', score, points, 'invalid_number'),
        outside('score', points, 0, 100, 'impossible_grade'),
        unread('is_banked', is_banked, banked, 'invalid_number'),
        outside('is_banked', banked, 0, 1, 'impossible_number')
    ) as problem
from typed
