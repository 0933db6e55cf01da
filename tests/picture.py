"""Make the picture of a page that the README shows: ``make picture``.

    python -m tests.picture docs/page.png

It needs Chromium. The text is that of the bundled model, with a fixed random seed.
"""

import sys
import tempfile
from pathlib import Path

import charlstm
from charlstm.pages.page import write_page, writing_page

from .browsing import OpenPage, started

PHRASE = "To be, or not to be: "
SIZE = {"width": 1000, "height": 930}


def main() -> None:
    """Let the page write, choose a character, and take the picture."""
    target = Path(sys.argv[1])
    model = charlstm.load("shakespeare")
    with started() as browser, tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "page.html")
        write_page(model, writing_page(model), path)
        page = OpenPage(browser, path, viewport=SIZE)
        page.write(PHRASE, length=420, random_seed=6)
        page.get("document.querySelector('details').open = false")
        page.get(f"view.select({len(PHRASE) + 15})")
        page.get("byId('text').scrollTop = 0")
        page.get("scrollTo(0, 0)")
        target.parent.mkdir(exist_ok=True)
        page.page.screenshot(path=target)
        page.close()


if __name__ == "__main__":
    main()
