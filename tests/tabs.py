"""A tab of a real browser at the dashboard: who opens it, what it asked for, and how a page answers."""

import re
from contextlib import contextmanager
from urllib.parse import urlsplit

import sqlalchemy as sa

from edupulse.store.engine import connect

WAIT = 60_000  # milliseconds that a busy machine may take
OPEN = "#speak-en"  # there once a page has been drawn
LOCAL = ("127.0.0.1", "")  # and what a page makes itself: data:, blob:
OVER = "() => document.documentElement.scrollWidth - innerWidth"
FOCUS = """() => {
  const at = document.activeElement, look = getComputedStyle(at);
  return {id: at.id, tag: at.tagName, words: at.textContent.trim(), ring: look.outlineStyle === "none" ? 0 : parseFloat(look.outlineWidth)};
}"""


def students_of(engine: sa.Engine, username: str) -> int:
    """How many students are in somebody's care today."""
    query = """select count(*) from caseloads join staff on staff.id = staff_id,
        (select max(as_of) as today from predictions)
        where username = :name and start_date <= today and coalesce(end_date, today) >= today"""
    return rows(engine, query, name=username)[0][0]


def rows(engine: sa.Engine, query: str, **values) -> list:
    """What the store says."""
    with engine.connect() as db:
        return db.execute(sa.text(query), values).all()


class Tab:
    """One person's tab."""

    def __init__(self, address: str, page):
        self.address, self.page, self.asked, self.errors = address, page, [], []
        page.set_default_timeout(WAIT)
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda told: self.errors.append(told.text) if told.type == "error" else None)

    @property
    def strangers(self) -> list[str]:
        """What was asked of another machine."""
        return [url for url in self.asked if urlsplit(url).hostname not in (None, *LOCAL)]

    def become(self, name: str) -> None:
        """Choose a role in the demo's picker."""
        self.page.goto(self.address)
        self.page.get_by_role("button", name=name).click()
        self.page.wait_for_selector(OPEN)

    def open(self, address: str) -> None:
        """Open a page and wait until it is drawn."""
        self.page.goto(f"{self.address}/{address}")
        self.page.wait_for_selector(OPEN)

    def follow(self, selector: str) -> None:
        """Follow a link of the page."""
        here = self.page.url
        self.page.locator(selector).first.click()
        self.page.wait_for_url(lambda url: url != here)
        self.page.wait_for_selector(OPEN)

    def speak(self, lang: str) -> None:
        """The page in another language."""
        self.page.click(f"#speak-{lang}")
        self.page.wait_for_function("lang => document.documentElement.lang === lang", arg=lang)

    def says(self, words: str) -> None:
        """Wait until the line of what was done begins with some words."""
        self.page.wait_for_function(
            "words => [...document.querySelectorAll('#notice, #done')].some(line => !line.hidden && line.textContent.includes(words))",
            arg=words,
        )

    def text(self, selector: str) -> str:
        """What a part of the page says."""
        return re.sub(r"\s+", " ", self.page.locator(selector).first.inner_text())

    def focus(self) -> dict:
        """What has the focus."""
        return self.page.evaluate(FOCUS)

    def tab_to(self, wanted: str, most: int = 400) -> dict:
        """Press the tab key until an element has the focus; every stop on the way can be seen."""
        for _ in range(most):
            self.page.keyboard.press("Tab")
            at = self.focus()
            assert at["tag"] == "BODY" or at["ring"] >= 2, f"the focus cannot be seen on {at}"
            if self.page.evaluate("wanted => document.activeElement.matches(wanted)", wanted):
                return at
        raise AssertionError(f"{wanted} cannot be reached by the tab key")


@contextmanager
def tab_of(browser, dashboard, width: int = 1280, **options):
    """A tab of a browser that knows nobody yet; nothing of it asks another machine or breaks."""
    context = browser.new_context(viewport={"width": width, "height": 900}, accept_downloads=True, **options)
    tab = Tab(dashboard.address, context.new_page())
    yield tab
    context.close()
    assert not tab.strangers, f"another machine was asked: {tab.strangers[:3]}"
    assert not tab.errors, f"the browser's console: {tab.errors[:3]}"


def store_of(home) -> sa.Engine:
    """The store behind a dashboard."""
    return connect(f"sqlite:///{home / 'edupulse.db'}")
