"What a principal, a counselor and a researcher get of the school's page: counts, nothing small, nobody's name."

import csv
import io
import re
from html.parser import HTMLParser

import pytest

from edupulse.care.examples import invent_care
from edupulse.care.viewer import Care, find_viewer
from edupulse.dashboard.desk import Desk
from edupulse.dashboard.school_page import PAGE
from edupulse.faces.language import Speech
from edupulse.settings import Settings
from edupulse.store.engine import connect
from edupulse.store.migrate import migrate
from edupulse.tongue import LANGUAGES


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("school")
    engine = connect(f"sqlite:///{folder / 'store.db'}")
    migrate(engine)
    return folder, engine, invent_care(engine, students_=300)


def open_page(made, username, lang="en"):
    folder, engine, filled = made
    desk = Desk(
        engine,
        Care(engine, find_viewer(engine, username), filled.as_of),
        filled.as_of,
        Settings(home=folder),
        lang,
    )
    desk.__dict__["speech"] = Speech(lang)  # a missing sentence stops the test
    return desk, desk.open(PAGE).regions["page"]


class Tables(HTMLParser):
    "The numbers of a page's tables, by caption."

    def __init__(self):
        super().__init__()
        self.found, self.open, self.caption = {}, [], ""

    def handle_starttag(self, tag, attributes):
        self.open.append((tag, dict(attributes).get("class")))
        if tag == "caption":
            self.caption = ""

    def handle_endtag(self, tag):
        while self.open and self.open.pop()[0] != tag:
            pass

    def handle_data(self, text):
        tags = [tag for tag, _ in self.open]
        if "caption" in tags:
            self.caption += text
        elif ("td", "number") in self.open and text.strip().replace(",", "").isdigit():
            self.found.setdefault(self.caption, []).append(int(text.replace(",", "")))


@pytest.mark.parametrize("username", ["okoye", "rivera", "stone"])
def test_no_count_of_students_from_one_to_nine_is_on_the_page(made, username):
    desk, html = open_page(made, username)
    reader = Tables()
    reader.feed(html)
    counts = {
        name: cells for name, cells in reader.found.items() if name != desk.speech("school.data_caption")
    }
    counts[desk.speech("school.work_caption")] = counts[desk.speech("school.work_caption")][
        ::2
    ]  # without the room
    assert len(counts) >= 4 and sum(map(len, counts.values())) > 20
    for name, cells in counts.items():
        assert not [cell for cell in cells if 0 < cell < 10], name
    drawn = re.findall(r'font-weight="600">([\d,]+)<', html)
    assert drawn and not [number for number in drawn if number in set("123456789")]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_nobody_is_named_on_the_page_or_in_its_file(made, lang):
    desk, html = open_page(made, "okoye", lang)
    content = desk.answer({"do": "download", "values": {}}).download[2].decode("utf-8-sig")
    names = {"Okafor", "Ramírez", "Petrov", "Carter"} | set(made[2].features["student_id"].astype(str))
    for text in (html, content):
        assert not [name for name in names if name in text]
    rows = list(csv.reader(io.StringIO(content)))
    assert len(rows) > 30 and {len(row) for row in rows} == {4}
    hidden = desk.speech("school.hidden")
    for table, row, column, count in rows[1:]:
        if table not in (desk.speech("school.data_caption"), desk.speech("school.work_caption")):
            assert count == hidden or not 0 < int(count) < 10, (table, row, column)


def test_a_teacher_and_a_stranger_s_message_get_nothing(made):
    folder, engine, filled = made
    desk, _ = open_page(made, "okoye")
    for message in (
        {"do": "counts", "values": {}},
        {"do": "download", "values": {"school": "' or 1=1"}, "x": 1},
        None,
        7,
    ):
        reply = desk.answer(message)
        assert "page" not in reply.regions and reply.download is None and reply.say
    with engine.begin() as db:
        db.exec_driver_sql("update staff set is_active = 0 where username = 'okoye'")
    try:
        refused = desk.answer({"do": "download", "values": {}})
        assert refused.download is None and refused.say
    finally:
        with engine.begin() as db:
            db.exec_driver_sql("update staff set is_active = 1 where username = 'okoye'")
