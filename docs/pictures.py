"""The pictures of docs/quick_tour.md, made from SimCrossMoDA.

    python docs/pictures.py REPORT      (a report.html of `intrastyler demo` or `intrastyler report`; needs chromium)

Each is a part of the report as a browser shows it.
"""

import argparse
import io
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from intrastyler_nnunet.errors import InputError
from intrastyler_nnunet.files import written_atomically

FOLDER = Path(__file__).parent
COLOURS = 256  # of the PNGs, mostly shades of grey


def main() -> None:
    """Open the report and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=Path, help="report.html")
    report = parser.parse_args().report.absolute()
    chromium = shutil.which("chromium")
    if chromium is None:
        raise InputError("chromium is not installed, expected it among the commands")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 900, "height": 900}, color_scheme="light")
        page.goto(report.as_uri())
        page.wait_for_selector('[data-figure="map"] .main-svg')
        page.check('[name="colouring"][value="site"]')
        take(page, ".map", "style_map")
        take(page, "#clusters", "clusters")
        take(page, "#translations .matrix", "translations")
        page.locator("#t").fill("0.5")
        take(page, "#between", "between")
        if page.locator("#coverage").count():
            take(page, "#coverage", "coverage")
        browser.close()


def take(page: Page, selector: str, name: str) -> None:
    """docs/tour_NAME.png of one element, with few colours to keep it small."""
    image = Image.open(io.BytesIO(page.locator(selector).first.screenshot())).convert("RGB")
    with written_atomically(FOLDER / f"tour_{name}.png") as temporary:
        image.quantize(COLOURS, Image.Quantize.MAXCOVERAGE).save(temporary, optimize=True)


if __name__ == "__main__":
    main()
