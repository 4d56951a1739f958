"""The counselor's, the principal's and the data scientist's pages, used in a real browser as they will be used."""

import json
import os
import re
import time
import zlib
from contextlib import suppress
from pathlib import Path

import pytest
import sqlalchemy as sa
from browsers import serious_violations
from dashboards import served, warm_kernels
from pages import make_home
from tabs import OPEN, OVER, rows, store_of, students_of, tab_of

from edupulse.care.audit import first_broken
from edupulse.dashboard.front import SHEETS
from edupulse.store.tables import caseloads, staff, students

ROOT = Path(__file__).resolve().parent.parent
NAMES = (
    ('"><script>window.hacked = 1</script>', "Okafor"),
    ('<img src=x onerror="window.hacked = 1">', "O'Neil & Söhne"),
    ("مريم", "الخطيب"),
    ("🦊👩🏽‍🚀", "{{7*7}}${7*7}"),
    ("A" * 60, "B" * 59),
)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A scored district of 600 students; in the care of its last counselor every name is a trap."""
    folder = tmp_path_factory.mktemp("pages")
    make_home(folder, students=600)
    engine = store_of(folder)
    with engine.begin() as db:
        last = sa.select(sa.func.max(staff.c.username)).where(staff.c.role == "counselor").scalar_subquery()
        query = sa.select(caseloads.c.student_id).join(staff).where(staff.c.username == last)
        for number, key in enumerate(sorted(db.scalars(query))):
            first, second = NAMES[number % len(NAMES)]
            change = sa.update(students).where(students.c.id == key)
            db.execute(change.values(first_name=first, last_name=second))
    engine.dispose()
    return folder


@pytest.fixture(scope="module")
def store(home):
    """The store behind the pages."""
    engine = store_of(home)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def dashboard(home, tmp_path_factory):
    """The dashboard that shows it; what kernels load by themselves is for `test_dashboard_server`."""
    with served(home, **warm_kernels(tmp_path_factory.mktemp("warm"))) as running:
        yield running


def people(engine, role: str) -> list:
    """Staff of a role who have a school: username, name and school, by username."""
    query = """select username, display_name, name from staff left join schools using (school_id)
        where role = :role and (school_id is not null or role = 'researcher') order by username"""
    return rows(engine, query, role=role)


def count(engine, table: str, where: str = "1 = 1") -> int:
    """How many rows of a table there are."""
    return rows(engine, f"select count(*) from {table} where {where}")[0][0]


def sides(content: bytes) -> int:
    """How many pages a PDF has; what is packed in it is unpacked."""
    text = content
    for packed in re.findall(rb"stream\r?\n(.*?)endstream", content, re.S):
        with suppress(zlib.error):
            text += zlib.decompressobj().decompress(packed)
    return len(re.findall(rb"/Type\s*/Page\b", text))


def saved(tab, button: str) -> tuple[str, bytes]:
    """The file that a button makes: its name and content."""
    with tab.page.expect_download() as waiting:
        tab.page.click(button)
    return waiting.value.suggested_filename, open(waiting.value.path(), "rb").read()


def until(true, seconds: float = 20) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never became so"
        time.sleep(0.1)


def test_a_counselor_finds_somebody_and_the_list_is_remembered(browser, dashboard, store):
    username, name, school = people(store, "counselor")[0]
    with tab_of(browser, dashboard) as tab:
        tab.become(name)
        assert re.match("This week, meet these", tab.text("h1"))
        told = tab.text("#masthead .where")
        assert told == f"{school} · {name} · {students_of(store, username)} students"
        cards = tab.page.locator("article.card")
        everybody = cards.count()
        grade = re.search(r"Grade (\d+)", tab.text("article.card")).group(1)
        tab.page.select_option("#filter-grade", grade)
        tab.page.wait_for_function(
            "all => document.querySelectorAll('article.card').length < all", arg=everybody
        )
        assert {re.search(r"Grade (\d+)", each).group(1) for each in cards.all_inner_texts()} == {grade}
        kept = rows(
            store,
            "select content from preferences join staff on staff.id = staff_id where username = :name",
            name=username,
        )
        assert json.loads(kept[0][0])["week_grade"] == grade
        wanted = tab.text("article.card h3")
        tab.page.fill("#filter-find", wanted.split()[-1].upper())
        tab.page.wait_for_function("() => document.querySelectorAll('article.card').length === 1")
        assert tab.text("article.card h3") == wanted
        tab.open("week.ipynb")
        assert tab.page.input_value("#filter-grade") == grade and tab.page.input_value("#filter-find") == ""
        tab.page.click("#filter-clear")
        tab.page.wait_for_function(
            "all => document.querySelectorAll('article.card').length === all", arg=everybody
        )


def test_a_counselor_logs_a_contact_calls_a_flag_wrong_and_plans(browser, dashboard, store):
    username, name, _ = people(store, "counselor")[0]
    with tab_of(browser, dashboard) as tab:
        tab.become(name)
        card = tab.page.locator("article.card").first.get_attribute("id")
        student, wanted = card.removeprefix("card-"), tab.text(f"#{card} h3")

        tab.page.click(f"#contact-{student}")
        tab.page.locator(f"#panel-{student} textarea").fill("Mother will call back")
        until(lambda: count(store, "drafts") == 1)
        tab.open("week.ipynb")  # as after a reload or on another day
        tab.page.click(f"#contact-{student}")
        note = tab.page.locator(f"#panel-{student} textarea")
        note.wait_for()
        assert note.input_value() == "Mother will call back"
        tab.page.locator(f"#panel-{student} [type=submit]").click()
        tab.says("Contact logged: Call")
        assert count(store, "drafts") == 0
        contact = rows(
            store, "select username, kind, reached, note from contacts join staff on staff.id = staff_id"
        )
        assert [tuple(each) for each in contact] == [(username, "call", True, "Mother will call back")]
        assert "Tried so far: Call" in tab.text(f"#{card}")
        tab.page.click("#undo")
        tab.says("Undone")
        assert count(store, "contacts", "withdrawn_at is null") == 0
        assert "Tried so far: nothing yet" in tab.text(f"#{card}")

        tab.page.click(f"#flag-{student}")
        tab.page.locator(f"#panel-{student} [value=medical]").check()
        tab.page.locator(f"#panel-{student} [type=submit]").click()
        tab.says("Noted: Medical")
        assert count(store, "data_fixes", "reason = 'medical' and state = 'open'") == 1
        assert count(store, "training_feedback") == 1

        tab.page.click(f"#plan-{student}")
        tab.page.locator(f"#panel-{student} [type=submit]").click()
        tab.says("Goal: nothing was written")  # a plan without a goal is no plan
        assert count(store, "interventions") == 0
        assert tab.focus()["id"] == f"plan-{student}-positive_goal"
        tab.page.keyboard.type("Four days a week in first period")
        tab.page.locator(f"#panel-{student} [type=submit]").click()
        tab.says("Plan started: Weekly check-in")
        plan = rows(
            store, "select positive_goal, length_weeks, state, follow_up_date is null from interventions"
        )
        assert [tuple(each)[:2] for each in plan] == [("Four days a week in first period", 6)]
        assert not tab.page.locator(f"#{card}").count(), "whoever has a plan is not to be met this week"
        assert wanted in tab.text("section[aria-labelledby=place-plan]")
        assert "off the list until it ends" in tab.text("section[aria-labelledby=place-plan]")

        tab.follow("section[aria-labelledby=place-plan] a.who")
        assert tab.text("h1") == wanted and "Has a plan until" in tab.text(".lede")
        tried = tab.text("#tried")
        assert (
            "Weekly check-in" in tried
            and "Goal: Four days a week" in tried
            and "called wrong (Medical)" in tried
        )
        tab.page.locator("[id^=ending-][id$=-button]").click()
        tab.page.locator("#tried textarea").fill("Came every day but one")
        tab.page.locator("#tried [type=submit]").click()
        tab.says("Plan ended")
        ended = rows(store, "select state, outcome from interventions")
        assert [tuple(each) for each in ended] == [("completed", "Came every day but one")]
        tab.open("week.ipynb")
        assert wanted in tab.text("#lists") and not tab.page.locator("#place-plan").count()
    done = [
        each[0]
        for each in rows(
            store, "select action from audit_log where actor = :name order by sequence", name=username
        )
    ]
    assert {
        "opened",
        "open_student",
        "log_contact",
        "undo log_contact",
        "dispute_flag",
        "start_plan",
        "end_plan",
    } <= set(done), set(done)
    assert first_broken(store) is None


def test_a_student_fits_one_side_of_paper_and_no_file_is_called_like_anybody(browser, dashboard, store):
    with tab_of(browser, dashboard) as tab:
        tab.become(people(store, "counselor")[0][1])
        tab.follow("article.card a.who")
        named = tab.text("h1").split()
        assert sides(tab.page.pdf(prefer_css_page_size=True)) == 1
        before = count(store, "audit_log", "action in ('print_student', 'print_family')")
        for button, kind in (("#save-pdf", "student-page"), ("#family-es", "for-the-family")):
            file, content = saved(tab, button)
            assert re.fullmatch(kind + r"-\d{4}-\d\d-\d\d\.pdf", file), file
            assert content.startswith(b"%PDF") and sides(content) == 1
            assert not any(word.casefold() in file.casefold() for word in named)
        assert count(store, "audit_log", "action in ('print_student', 'print_family')") == before + 2


def test_everything_is_said_in_spanish_too(browser, dashboard, store):
    with tab_of(browser, dashboard) as tab:
        tab.become(people(store, "counselor")[1][1])
        tab.speak("es")
        assert tab.text("h1").startswith("Esta semana, reúnase con") and "Por qué" in tab.text("article.card")
        assert tab.page.title().startswith("Esta semana")
        tab.follow("article.card a.who")
        assert tab.page.get_attribute("html", "lang") == "es", "a language is remembered"
        assert "Lo que se ha intentado" in tab.text("#tried") and "Asistencia" in tab.text("#year")
        for word in ("attendance", "Going well", "Why", "school days", "Grade"):
            assert word not in tab.text("main"), word
        tab.speak("en")


def test_a_principal_sees_counts_and_may_help_a_student(browser, dashboard, store):
    username, name, school = people(store, "administrator")[0]
    with tab_of(browser, dashboard) as tab:
        tab.become(name)
        assert tab.text("h1").startswith(f"At {school}, ") and "conversation this week" in tab.text("h1")
        file, content = saved(tab, "#download")
        assert file.endswith(".csv") and content.decode("utf-8-sig").startswith("Table,Row,Column,Count")
        tab.follow("#masthead a[href='week.ipynb']")
        tab.page.select_option("#filter-sort", "name")
        tab.follow("article.card a.who")
        tab.page.click("#contact-button")
        tab.page.click("#contact-panel [type=submit]")
        tab.says("Contact logged")
        made = rows(
            store,
            "select count(*) from contacts join staff on staff.id = staff_id where username = :name",
            name=username,
        )
        assert made[0][0] == 1
        tab.speak("es")
        assert "Registrar un contacto" in tab.text("#actions")


def test_a_data_scientist_sees_counts_and_no_student(browser, dashboard, store):
    _, name, _ = people(store, "researcher")[0]
    student = rows(store, "select id from students limit 1")[0][0]
    with tab_of(browser, dashboard) as tab:
        tab.become(name)
        assert tab.text("h1").startswith("In the district, ")
        assert not tab.page.locator("a[href^=student]").count()
        tab.speak("es")
        assert tab.text("h1").startswith("En el distrito, ")
        tab.speak("en")
        tab.open(f"student.ipynb?student={student}")
        assert tab.text("h1").startswith("That student is not in your care")
        assert not tab.page.locator("#year").count()
        tab.page.goto(f"{tab.address}/week.ipynb")
        assert "Your role has no page here" in tab.text("main")
        assert [each for each in tab.errors if "403" not in each] == []
        tab.errors.clear()  # the refusal itself
    assert first_broken(store) is None


SMALL = """() => [...document.querySelectorAll("a, button, select, input, textarea, summary")].filter(each => {
  const box = (each.closest("label") || each).getBoundingClientRect();
  return each.checkVisibility() && box.width && !each.matches(".skip") && (box.width < 23.5 || box.height < 23.5);
}).map(each => each.outerHTML.slice(0, 120))"""


def faults(tab, where: str, width: int) -> list[str]:
    """What is wrong with an open page: too wide, too small to hit, or shut to somebody."""
    tab.page.set_viewport_size({"width": width, "height": 900})
    found = [f"{where}: {each}" for each in serious_violations(tab.page)]
    found += [f"{where}: small: {each}" for each in tab.page.evaluate(SMALL)]
    for narrow in (width, 640, 320):  # 640 is 1280 at 200 %
        tab.page.set_viewport_size({"width": narrow, "height": 900})
        wide = tab.page.evaluate(OVER)
        found += [f"{where} {narrow}: {wide} pixels too wide"] if wide > 0 else []
    return found


def run_a_night(engine):
    """The jobs of one night: one done, one refused, one given up, one that waits."""
    from datetime import UTC, datetime, timedelta

    from edupulse.jobs.lease import Terms, claim, fail, succeed
    from edupulse.jobs.record import Wish, add

    night, terms = datetime.now(UTC) - timedelta(hours=3), Terms(attempts=1)
    for kind, hours in (("import", 0), ("backup", 0), ("score", 0), ("report", 9)):
        add(engine, Wish(kind, f"{kind} on {night.date()}", due_at=night + timedelta(hours=hours)), night)
    while job := claim(engine, "w", terms, night):
        if job.kind == "import":
            succeed(engine, job, {"told": "27,814 rows read, 27,812 accepted"}, {}, night)
        else:
            word = {
                "backup": "no room on the disk: 2.1 GB are needed",
                "score": "4 of 6 schools have not sent the last week",
            }
            fail(engine, job, word[job.kind], terms, night, again=job.kind == "backup")


def test_whoever_keeps_it_running_sees_what_failed_and_tries_again_by_keyboard(browser, dashboard, store):
    _, name, _ = people(store, "researcher")[0]
    with tab_of(browser, dashboard) as tab:
        tab.become(name)
        tab.follow("#masthead a[href='jobs.ipynb']")
        assert tab.text("h1") == "Nothing has run yet" and "Nothing has happened yet" in tab.text("#past")
        run_a_night(store)
        tab.open("jobs.ipynb")
        assert tab.text("h1") == "2 things need you" and tab.page.locator("article.card").count() == 2
        assert "4 of 6 schools" in tab.text("#waits") and "27,814 rows" in tab.text("#past")
        found = faults(tab, "jobs en", 1280)
        tab.speak("es")
        assert tab.text("h1") == "2 cosas le esperan" and "Qué hacer" in tab.text("#waits")
        found += faults(tab, "jobs es", 320)
        assert not found, "\n".join(found)
        paper = tab.page.pdf(prefer_css_page_size=True)
        assert len(re.findall(rb"/Type\s*/Page\b", paper)) <= 2, (
            "each part of the page begins a sheet of paper"
        )
        tab.speak("en")
        tab.tab_to("article.card button[data-do=retry][aria-label^='Try again: The lists']")
        tab.page.keyboard.press("Enter")
        tab.says("The lists of the week")
        assert tab.text("h1") == "1 thing needs you" and tab.focus()["tag"] != "BODY"
        assert count(store, "jobs", "kind = 'score' and state = 'queued'") == 1
        assert count(store, "audit_log", "action = 'retry' and entity = 'job'") == 1
        tab.page.click("#ahead button[aria-label^='Leave it: The weekly reports']")
        tab.says("will not be done")
        assert count(store, "jobs", "kind = 'report' and state = 'cancelled'") == 1
        if place := os.environ.get("EDUPULSE_TEST_PICTURES"):
            for width in (1280, 320):
                tab.page.set_viewport_size({"width": width, "height": 900})
                tab.page.screenshot(path=Path(place) / f"jobs-{width}.png", full_page=True)
    counselor = people(store, "counselor")[0][1]
    with tab_of(browser, dashboard) as tab:
        tab.become(counselor)
        assert not tab.page.locator("a[href='jobs.ipynb']").count()
        tab.page.goto(f"{tab.address}/jobs.ipynb")
        assert "need" not in tab.text("h1")
        tab.errors.clear()  # the refusal itself


WIDTHS = (
    {"en": 1280, "es": 320},
    pytest.param({"en": 320, "es": 1280}, marks=pytest.mark.soak),
)


@pytest.mark.parametrize("widths", WIDTHS)
def test_every_page_is_open_to_everybody_and_fits_a_telephone(browser, dashboard, store, widths):
    found = []
    with tab_of(browser, dashboard) as tab:
        tab.page.goto(tab.address)
        found += faults(tab, "roles", widths["en"])
        for role, page in (("counselor", "week"), ("administrator", "school"), ("counselor", "student")):
            tab.page.set_viewport_size({"width": 1280, "height": 900})
            tab.become(people(store, role)[0][1])
            if page == "student":
                tab.follow("article.card a.who")
                while tab.page.locator("[data-toggle][aria-expanded=false]").count():
                    tab.page.locator("[data-toggle][aria-expanded=false]").first.click()
            for lang, width in widths.items():
                tab.speak(lang)
                found += faults(tab, f"{page} {lang}", width)
            tab.speak("en")
    assert not found, "\n".join(found)


def test_any_name_is_shown_as_it_is_and_runs_nothing(browser, dashboard, store):
    username, name, _ = people(store, "counselor")[-1]
    assert rows(store, "select count(*) from students where first_name like '%script%'")[0][0] > 5
    with tab_of(browser, dashboard, width=320) as tab:
        tab.become(name)
        for first, last in NAMES:
            tab.page.fill("#filter-find", first[:30])
            link = tab.page.locator("#lists a.who").first
            tab.page.wait_for_function(
                "name => document.querySelector('#lists a.who')?.textContent === name", arg=f"{first} {last}"
            )
            assert tab.page.evaluate(OVER) <= 0, first
            where = link.get_attribute("href")
            if first in (NAMES[0][0], NAMES[2][0], NAMES[4][0]):
                tab.open(where)
                assert tab.page.locator("h1").text_content() == f"{first} {last}"
                assert tab.page.evaluate(OVER) <= 0, first
                assert sides(tab.page.pdf(prefer_css_page_size=True)) == 1
                if first != NAMES[2][0]:  # each PDF takes a second
                    file, content = saved(tab, "#save-pdf")
                    assert re.fullmatch(r"student-page-[-\d]+\.pdf", file) and sides(content) == 1
                assert tab.page.evaluate("() => window.hacked") is None
                tab.open("week.ipynb")
        assert tab.page.evaluate("() => window.hacked") is None


def test_the_whole_week_is_done_by_keyboard(browser, dashboard, store):
    username, name, _ = people(store, "counselor")[1]
    own = f"staff_id = (select id from staff where username = '{username}')"
    with tab_of(browser, dashboard) as tab:
        key, page = tab.page.keyboard.press, tab.page

        def kept(words: str = ""):
            """The focus is somewhere after an act."""
            if words:
                tab.says(words)
            assert tab.focus()["tag"] != "BODY", f"the focus was lost after {words or 'a key'}"

        page.goto(tab.address)
        username_field = f"button[value='{username}']"
        tab.tab_to(username_field)
        key("Enter")
        page.wait_for_selector(OPEN)
        tab.tab_to("#filter-sort")
        key("ArrowDown")
        until(lambda: count(store, "preferences", f'{own} and content like \'%"week_sort": "name"%\'') == 1)
        kept()
        tab.tab_to("#filter-clear")
        key("Enter")
        page.wait_for_function("() => document.querySelector('#filter-sort').value === 'list'")
        kept()
        student = page.locator("article.card").first.get_attribute("id").removeprefix("card-")

        tab.tab_to(f"#contact-{student}")
        key("Enter")
        page.wait_for_function("() => document.activeElement.name === 'kind'")
        key("ArrowDown")
        key("Enter")  # three keys from the button: open, choose, save
        kept("Contact logged: Message")
        assert count(store, "contacts", f"{own} and kind = 'message' and withdrawn_at is null") == 1
        assert tab.focus()["id"] == "undo"
        key("Enter")
        kept("Undone")
        assert count(store, "contacts", f"{own} and withdrawn_at is null") == 0

        tab.tab_to(f"#flag-{student}")
        key("Enter")
        page.wait_for_function("() => document.activeElement.name === 'reason'")
        key("Space")
        key("Enter")
        kept("Noted: Transfer that is known")

        tab.tab_to(f"#card-{student} a.who")
        key("Enter")
        page.wait_for_selector("#year")
        tab.tab_to("#contact-button")
        key("Enter")
        key("Escape")
        kept()
        assert tab.focus()["id"] == "contact-button" and not page.locator("#contact-panel").is_visible()
        tab.tab_to("#plan-button")
        key("Enter")
        tab.tab_to("#plan-positive_goal")
        page.keyboard.type("Breakfast club on two mornings")
        key("Enter")
        kept("Plan started")
        assert count(store, "interventions", "positive_goal like 'Breakfast%'") == 1
        tab.tab_to("a[href='week.ipynb']")
        key("Enter")
        page.wait_for_selector("#lists")
        assert not page.locator(f"#card-{student}").count()


INKS = ("ink", "soft", "accent", "meet", "watch", "track")
GROUNDS = ("paper", "card", "tint")
AMBER = "#FBF3E4"  # behind a line that warns


def light(colour: str) -> float:
    """Relative luminance, as WCAG 2.2 defines it."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """How far two colours stand apart, from 1 to 21."""
    dark, bright = sorted((light(one), light(other)))
    return (bright + 0.05) / (dark + 0.05)


def test_words_and_edges_stand_out():
    css = "".join((ROOT / path).read_text(encoding="utf-8") for path in SHEETS.values())
    colours = dict(re.findall(r"--([a-z-]+):\s*(#[0-9A-Fa-f]{6})", css))
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    grounds = [*(colours[name] for name in GROUNDS), AMBER]
    assert AMBER in css
    words = {(ink, ground): contrast(colours[ink], ground) for ink in INKS for ground in grounds}
    assert min(words.values()) >= 4.5, words
    assert contrast("#FFFFFF", colours["accent"]) >= 4.5 and contrast("#FFFFFF", "#084A54") >= 4.5
    edges = {
        (edge, ground): contrast(colours[edge], ground) for edge in ("edge", "accent") for ground in grounds
    }
    assert min(edges.values()) >= 3, edges
    spoken = set(re.findall(r"(?<![-a-z])color:\s*(#[0-9A-Fa-f]{6})", css))
    assert spoken <= {"#FFFFFF", "#4A5058"}, f"a colour outside the palette: {spoken}"
