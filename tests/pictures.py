"""Makes the README's pictures of the dashboard anew, from an invented district: python tests/pictures.py"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from browsers import running_browser  # noqa: E402
from dashboards import served  # noqa: E402
from pages import make_home  # noqa: E402
from PIL import Image  # noqa: E402
from tabs import tab_of  # noqa: E402

IMAGES = Path(__file__).resolve().parent.parent / "nbs" / "images"
MOST = 250_000  # bytes of a picture


def take(tab, name: str, width: int, height: int) -> None:
    """One picture, in as many colours as a page of paper has."""
    tab.page.set_viewport_size({"width": width, "height": height})
    tab.page.evaluate("() => scrollTo(0, 0)")
    file = IMAGES / f"{name}.png"
    tab.page.screenshot(path=file)
    Image.open(file).convert("RGB").quantize(64, dither=Image.Dither.NONE).save(file, optimize=True)
    assert file.stat().st_size < MOST, f"{file.name} is too large"


def main() -> None:
    """Every picture."""
    with tempfile.TemporaryDirectory() as folder:
        make_home(Path(folder), students=1600)
        with (
            served(Path(folder)) as dashboard,
            running_browser() as browser,
            tab_of(browser, dashboard) as tab,
        ):
            tab.page.goto(tab.address)
            principal = (
                tab.page.locator(".card", has_text="Principal").first.get_by_role("button").inner_text()
            )
            counselor = (
                tab.page.locator(".card", has_text="Counselor").first.get_by_role("button").inner_text()
            )
            tab.become(counselor.split("as", 1)[1].strip())
            for name, width, height in (
                ("week", 1280, 1000),
                ("week-tablet", 768, 1000),
                ("week-phone", 320, 1000),
            ):
                take(tab, name, width, height)
            tab.page.set_viewport_size({"width": 1280, "height": 1000})
            tab.follow("article.card a.who")
            take(tab, "student", 1280, 1100)
            tab.become(principal.split("as", 1)[1].strip())
            take(tab, "school", 1280, 1000)


if __name__ == "__main__":
    main()
