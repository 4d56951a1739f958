"""A real browser for page tests, and axe-core, which judges whether everybody can use a page.

A machine without a browser skips those tests and says so; with EDUPULSE_REQUIRE_BROWSER=1 a missing one is a failure.
"""

import os
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")  # the Makefile looks for the same
AXE = Path(sys.prefix) / "axe" / "node_modules" / "axe-core" / "axe.min.js"  # where the Makefile puts it
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def no_browser(why: str):
    """Skip, or fail where EDUPULSE_REQUIRE_BROWSER=1 says that pages must be looked at."""
    outcome = pytest.fail if os.environ.get("EDUPULSE_REQUIRE_BROWSER") else pytest.skip
    outcome(f"NO BROWSER, no page was looked at: {why}")


@contextmanager
def running_browser():
    """Chromium, or a loud skip."""
    try:
        from playwright import sync_api
    except ImportError:
        no_browser("playwright is not installed")
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not program:
        no_browser("install chromium")
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=[*QUIET])
        yield running
        running.close()


def serious_violations(tab) -> list[str]:
    """What axe-core calls serious or critical on an open page: rule, and the first element that breaks it."""
    if not AXE.is_file():
        no_browser("axe-core is not installed; make browser installs it from npm")
    tab.evaluate(AXE.read_text(encoding="utf-8"))
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found = tab.evaluate("tags => axe.run(document, {runOnly: tags})", tags)["violations"]
    return [
        f"{each['id']}: {each['help']} ({len(each['nodes'])}): {each['nodes'][0]['html'][:160]}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]
