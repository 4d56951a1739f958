"""What only a browser can say about a page: it asks nobody for anything, runs nothing, and can be read."""

import re
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd
import pytest
from alone import asked_alone
from browsers import BROWSERS

from edupulse.faces.caseload_page import caseload_page
from edupulse.faces.look import figure, page, report_html, svg, table
from edupulse.scoring.caseload import Caseload

ROOT = Path(__file__).resolve().parent.parent
HOSTILE = [
    ('"><script>window.hacked = 1</script>', "Okafor"),
    ('<img src=x onerror="window.hacked = 1">', "O'Neil & Söhne"),
    ("مريم", "الخطيب"),
    ("🦊", "{{7*7}}${7*7}"),
    ("A" * 120, "B" * 120),
    ("javascript:window.hacked=1", "http://example.org/x.png"),
]
REASONS = [
    ("absence", "Missed 6 school days without an excuse, 20 Oct – 16 Nov."),
    ("missing work", "9 assignments not handed in, 20 Oct – 16 Nov."),
    ("grades", "Failing 2 courses as of 16 Nov."),
]


def invented_student(school: str, number: int, band: str, names: tuple[str, str]) -> dict:
    """One row of a caseload, with everything a card shows."""
    generator = np.random.default_rng(number)
    factors = [
        {"factor": theme, "theme": theme, "description": text, "recommendation": "Call home about mornings."}
        for theme, text in REASONS[: number % 4]
    ]
    risks = np.clip(np.cumsum(generator.normal(0.02, 0.03, 11)) + 0.1, 0.01, 0.9)
    days = [date(2025, 9, 1) + timedelta(weeks=week) for week in range(12) if week != 6]
    risk = {"meet": 0.6, "watch": 0.2, "track": 0.01, "nodata": 0.05}[band] - number / 1e4
    return dict(
        student_id=f"{school}-{number:04}",
        school_id=school,
        district_id=f"{number:06}",
        first_name=names[0],
        last_name=names[1],
        grade_level=9 + number % 4,
        band=band,
        change={0: "New to meet", 3: "New on watch"}.get(number % 5, "") if band in ("meet", "watch") else "",
        risk_score=risk,
        risk_category="high" if risk > 0.1 else "low",
        risk_factors=factors,
        reasons=factors,
        strength="Recent work averages 88 of 100, 20 Oct – 16 Nov." if number % 3 else None,
        next_step=factors[0]["recommendation"] if factors else None,
        trend=["rising", "steady", "easing"][number % 3],
        trend_words=["More concern than on 19 Oct", "Steady since 19 Oct", "Less concern than on 19 Oct"][
            number % 3
        ],
        unsure=["grades"] if number % 4 == 2 else [],
        trajectory=[
            {"as_of": d.isoformat(), "risk": round(float(r), 4)} for d, r in zip(days, risks, strict=True)
        ],
    )


def invented_caseload(schools: int = 2) -> Caseload:
    """A caseload of invented students, some with names that a page must survive."""
    plain = [
        ("Amara", "Okafor"),
        ("Diego", "Ramírez"),
        ("Lily", "Chen"),
        ("Noah", "Williams"),
        ("Sofia", "Petrov"),
    ]
    rows, fresh = [], []
    for place in range(schools):
        school = f"school-{place}"
        for number in range(80):
            band = "meet" if number < 8 else "watch" if number < 24 else "nodata" if number < 29 else "track"
            names = HOSTILE[number // 2] if number % 2 and number // 2 < len(HOSTILE) else plain[number % 5]
            rows.append(invented_student(school, number, band, names))
        through = date(2025, 11, 14 - 2 * place)
        fresh.append(
            dict(
                school_id=school,
                school=["Lincoln High School", "Roosevelt <High>"][place % 2],
                expected_through=date(2025, 11, 14),
                arrived_through=through,
                days_missing=2 * place,
                fresh=place == 0,
            )
        )
    words = (
        "Of ten students in this place in past years, about three left within a year; for the others the worry did not "
        "come true. These are reasons to talk, not verdicts."
    )
    frame = pd.DataFrame(rows)
    return Caseload(
        date(2025, 11, 17), date(2025, 11, 10), "2025-11-demo", 365, frame, pd.DataFrame(fresh), words
    )


def example_chart() -> alt.Chart:
    frame = pd.DataFrame({"week": range(1, 11), "share": np.linspace(0.95, 0.7, 10)})
    encoding = {
        "x": alt.X("week:Q", title="Week of the school year"),
        "y": alt.Y("share:Q", title="Attendance"),
    }
    return alt.Chart(frame, width=640, height=200).mark_line(clip=True).encode(**encoding)


def report(*blocks) -> str:
    """Blocks as the page of an executed notebook."""
    import nbformat

    outputs = [nbformat.v4.new_output("display_data", data={"text/html": str(block)}) for block in blocks]
    cells = [nbformat.v4.new_code_cell("hidden()", outputs=outputs)]
    return report_html(nbformat.v4.new_notebook(cells=cells))


@pytest.fixture
def opened(browser, tmp_path):
    """Opens a page from a file and notes every request, error and message."""
    seen = {"requests": [], "errors": []}

    def go(text: str, width: int = 1280):
        file = tmp_path / "page.html"
        file.write_text(text, encoding="utf-8")
        tab = browser.new_page(viewport={"width": width, "height": 900})
        tab.on("request", lambda request: seen["requests"].append(request.url))
        tab.on("pageerror", lambda error: seen["errors"].append(str(error)))
        tab.on(
            "console",
            lambda message: seen["errors"].append(message.text) if message.type == "error" else None,
        )
        tab.goto(file.as_uri())
        return tab, seen, file.as_uri()

    return go


@pytest.fixture(scope="module")
def caseload_report() -> str:
    return report(caseload_page(invented_caseload()))


def test_a_page_asks_nobody_and_runs_nothing(opened, caseload_report):
    tab, seen, address = opened(caseload_report)
    assert seen["requests"] == [address]
    assert seen["errors"] == []
    assert tab.evaluate("window.hacked") is None
    assert tab.locator("script").count() == 0 and tab.locator("main img").count() == 0


def test_the_answer_is_the_title(opened, caseload_report):
    tab, _, _ = opened(caseload_report)
    assert tab.locator("main").count() == 1
    assert tab.locator("h1").all_inner_texts() == ["This week, meet these 16 students at 2 schools"]
    assert tab.title() == "This week, meet these 16 students at 2 schools · EduPulse"
    assert tab.locator("html").get_attribute("lang") == "en"
    levels = tab.evaluate("[...document.querySelectorAll('h1,h2,h3,h4,h5')].map(h => +h.tagName[1])")
    steps = [after - before for before, after in zip(levels[:-1], levels[1:], strict=True)]
    assert levels[0] == 1 and max(steps) == 1, "a heading level was skipped"


def test_names_are_text_whatever_they_hold(opened, caseload_report):
    tab, _, _ = opened(caseload_report)
    text = tab.locator("main").inner_text()
    for first, _ in HOSTILE:
        assert first in text
    assert "Roosevelt <High>" in text


def test_words_are_kind_and_have_no_scores(opened, caseload_report):
    tab, _, _ = opened(caseload_report)
    text = tab.locator("main").inner_text().lower()
    assert "may need support" in text
    for word in ("dropout", "drop out", "at risk", "risk score", "0.6", "0.59", "probability", "nan"):
        assert not re.search(rf"\b{re.escape(word)}\b", text), word
    for shape in "▲◆●○":
        assert shape in text


@pytest.mark.parametrize("width", [1280, 400, 360])
def test_nothing_runs_out_of_the_page(opened, caseload_report, width):
    tab, _, _ = opened(caseload_report, width)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width


def test_on_a_telephone_letters_stay_readable_and_captions_are_whole(opened):
    """A wide drawing and a wide table scroll in boxes of their own; their captions do not."""
    words = "A caption that says in one long sentence what can be seen in the drawing above it, and on whom it rests."
    columns = [f"A long column {number}" for number in range(9)]
    wide = figure(svg(example_chart().properties(width=900), "Wide"), words)
    numbers = table(columns, [["x", *range(1000, 1008)]], words, numeric=range(1, 9))
    tab, _, _ = opened(page("Wide things", wide, numbers), 360)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
    letters = tab.evaluate(
        """[...document.querySelectorAll('svg text')].map(t => {
            const m = t.getScreenCTM(); return parseFloat(getComputedStyle(t).fontSize) * Math.hypot(m.a, m.b) })"""
    )
    assert letters and min(letters) >= 10.9
    for box in (".drawing", ".scroll"):
        assert tab.evaluate(f"(b => b.scrollWidth > b.clientWidth)(document.querySelector('{box}'))")
        assert tab.locator(box).get_attribute("tabindex") == "0", (
            "a box that scrolls must be reached by keyboard"
        )
    tab.evaluate("document.querySelector('.scroll').scrollLeft = 300")
    for caption in ("figcaption", ".caption"):
        edges = tab.locator(caption).bounding_box()
        assert edges["x"] >= 0 and edges["x"] + edges["width"] <= 360 and edges["height"] > 30, caption


def test_on_paper_a_page_holds_eight_students_and_cuts_none(opened):
    caseload = invented_caseload(schools=1)
    rows = [invented_student("school-0", number, "meet", ("Amara", "Okafor")) for number in range(48)]
    tab, _, _ = opened(report(caseload_page(replace(caseload, frame=pd.DataFrame(rows)))))
    pages = len(re.findall(rb"/Type\s*/Page\b", tab.pdf(prefer_css_page_size=True)))
    assert pages <= 7, f"{pages} pages for 48 students, their heading and the end"
    tab.emulate_media(media="print")
    look = "e => { const s = getComputedStyle(e); return [s.display, s.breakInside] }"
    assert {tuple(each) for each in tab.locator(".card").evaluate_all(f"all => all.map({look})")} == {
        ("table-row", "avoid")
    }
    assert tab.locator(".heads").evaluate(look) == ["table-header-group", "avoid"], (
        "the heads stand on each page"
    )
    assert "counter(pages)" in report(caseload_page(caseload))


def test_lines_of_a_school_share_their_days(opened, caseload_report):
    """A student who came three weeks ago has a short line at the right, below the end of everybody else's."""
    caseload = invented_caseload(schools=1)
    late = [
        row["trajectory"][-3:] if place == 0 else row["trajectory"]
        for place, row in caseload.frame.iterrows()
    ]
    shown = caseload_page(replace(caseload, frame=caseload.frame.assign(trajectory=late)))
    tab, _, _ = opened(report(shown))
    lines = tab.evaluate(
        """[...document.querySelectorAll('.spark')].map(s => {
            const x = [...s.querySelectorAll('polyline')].flatMap(p => p.getAttribute('points').split(' ').map(q => +q.split(',')[0]))
            return [Math.min(...x), Math.max(...x)] })"""
    )
    assert lines[0][0] > 120 and {last for _, last in lines} == {163.0}
    assert {first for first, _ in lines[1:]} == {5.0}


def test_every_drawing_is_described_and_ids_are_unique(opened, caseload_report):
    tab, _, _ = opened(caseload_report)
    drawings = tab.evaluate(
        "[...document.querySelectorAll('svg')].map(s => [s.getAttribute('role'), s.querySelector('title')?.textContent])"
    )
    assert len(drawings) == 16 and all(role == "img" and title for role, title in drawings)
    charts = page("Two", figure(svg(example_chart(), "One")), figure(svg(example_chart(), "Other")))
    tab, seen, address = opened(charts)
    assert set(seen["requests"]) == {address}
    ids = tab.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert ids and len(ids) == len(set(ids))


def test_text_has_enough_contrast(opened, caseload_report):
    """At least 6:1 for every piece of text, against the colour that is really behind it."""
    tab, _, _ = opened(caseload_report)
    worst = tab.evaluate(
        """() => {
            const light = c => c.map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
                .reduce((s, v, i) => s + v * [.2126, .7152, .0722][i], 0)
            const rgb = s => s.match(/[\\d.]+/g).map(Number)
            const behind = e => { for (; e; e = e.parentElement) {
                const c = rgb(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c.slice(0, 3) } }
            let worst = 99
            for (const e of document.querySelectorAll('main *:not(svg):not(svg *), .brand')) {
                if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())) continue
                const a = light(rgb(getComputedStyle(e).color).slice(0, 3)), b = light(behind(e))
                worst = Math.min(worst, (Math.max(a, b) + .05) / (Math.min(a, b) + .05))
            }
            return worst
        }"""
    )
    assert worst >= 6, f"{worst:.1f}:1"


# ---- nothing is skipped unseen ---------------------------------------------------------------------------------------


def test_a_missing_browser_is_a_failure_where_one_is_required(tmp_path):
    for required, ends in (("1", 1), ("", 0)):
        done = asked_alone("browser", tmp_path, PATH=str(tmp_path), EDUPULSE_REQUIRE_BROWSER=required)
        assert done.returncode == ends and "NO BROWSER" in done.stdout, done.stdout


def test_the_makefile_looks_for_the_same_browsers_as_the_pages():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert f"in {' '.join(BROWSERS)};" in makefile
    required = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for name in ("EDUPULSE_REQUIRE_POSTGRESQL", "EDUPULSE_REQUIRE_BROWSER"):
        assert f"export {name}=1" in required
