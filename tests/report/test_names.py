"""Names of cases, sites, folders and files are shown as they are, whatever markup they look like."""

import shutil
from html.parser import HTMLParser

import numpy as np
import pytest
import torch

from intrastyler_nnunet.report import figures, sections
from intrastyler_nnunet.report.atlas import make_atlas
from intrastyler_nnunet.report.page import Page, Section
from intrastyler_nnunet.report.pictures import THUMBNAIL, slice_picture, voxels_of
from intrastyler_nnunet.report.translations import MatrixCell, SourceRow
from intrastyler_nnunet.styles.coverage import coverage

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NAMES = (
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "' onmouseover='alert(3)",
    '<a href="javascript:alert(4)">x</a>',
    "<b>bold</b> &amp; &lt;",
    "<!--",
    "{{ 7 * 7 }}{% raw %}",
    "%{x} $x$ </style>",
)


@pytest.fixture(scope="module")
def page() -> Page:
    """Every section and every figure, with nothing but such names."""
    vectors = torch.nn.functional.normalize(torch.randn(8, 6, generator=torch.Generator().manual_seed(0)))
    atlas = make_atlas(NAMES, vectors, dict(zip(NAMES, NAMES[::-1], strict=True)))
    result = coverage(vectors, vectors)
    picture = slice_picture(torch.zeros(1, 1, 8, 8, 1), 0, THUMBNAIL)
    rows = [SourceRow(name, picture, [MatrixCell(picture, 1.0, 0.5)] * len(atlas.typical)) for name in NAMES]
    dice = [{"epoch": 0, "dice": dict.fromkeys(NAMES, 0.5)}]
    bodies = {
        "map": sections.style_map_section(atlas, list(NAMES)),
        "clusters": sections.cluster_table(atlas),
        "translations": sections.matrix(atlas, rows, [picture] * len(NAMES)),
        "between": sections.interpolation(atlas, 2),
        "training": sections.figure("training", NAMES[1]) + sections.panels([1, 2]),
        "segmentation": sections.heading(NAMES[1]) + sections.dice_table(dice) + sections.figure(NAMES[0], NAMES[1]),
        "coverage": sections.coverage_table(list(NAMES), result, NAMES),
    }
    drawn = {
        "map": figures.style_map(atlas, (list(NAMES), atlas.project(vectors))),
        "training": figures.training_curves({name: ([0, 1], [1.0, 0.5]) for name in NAMES}),
        NAMES[0]: figures.dice_curves(dice),
    }
    points = [{"name": name, "picture": picture, "place": [0.0, 0.0], "facts": name} for name in NAMES * 2]
    data = {"points": points, "typical": atlas.typical, "ends": [picture] * 2, "panels": [[1, picture], [2, picture]]}
    data["frames"] = {"0-1": [picture] * 9}
    volume = voxels_of(torch.zeros(1, 1, 8, 8, 1), (1.0, 1.0, 1.0))
    data["viewer"] = {"volumes": [volume] * len(NAMES), "place": [0.5, 0.5, 0.5]}
    parts = [Section(identifier, NAMES[i], NAMES[i], bodies[identifier]) for i, identifier in enumerate(bodies)]
    return Page(NAMES[0], NAMES[1], NAMES[0], sections.look([(name, name) for name in NAMES]), parts, drawn, data)


class Elements(HTMLParser):
    """Counts elements; remembers attributes that a browser would run or follow, and all text."""

    def __init__(self, html: str):
        super().__init__()
        self.counts, self.active, self.text = {}, [], ""
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.counts[tag] = self.counts.get(tag, 0) + 1
        self.active += [(tag, name, value) for name, value in attributes if name.startswith("on")]
        self.active += [(tag, name, value) for name, value in attributes if (value or "").startswith("javascript:")]

    def handle_data(self, data):
        self.text += data


def test_no_name_becomes_an_element_or_an_attribute(page):
    found = Elements(page.html())
    assert found.active == []
    assert found.counts["script"] == 4
    assert "b" not in found.counts
    assert found.counts["a"] == len(page.sections)
    assert all(name in found.text for name in NAMES)


def test_a_name_that_is_no_utf_8_can_be_written(page):
    name = "case_\udcff"  # how Python spells the byte 255 of a file's name
    other = Page(name, name, name, page.look, page.sections, {}, {"points": [{"name": name}]})
    assert "case_" in other.html().encode(errors="backslashreplace").decode()


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium")
def test_a_browser_shows_the_names_and_runs_none(page, tmp_path):
    from playwright.sync_api import sync_playwright

    (tmp_path / "page.html").write_text(page.html(), encoding="utf-8")
    said = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_page()
        tab.set_default_timeout(60_000)
        for event in ("console", "pageerror", "dialog"):
            tab.on(event, lambda what: said.append(str(what)))
        tab.goto((tmp_path / "page.html").as_uri())
        tab.wait_for_selector('[data-figure="training"] .main-svg')
        assert tab.locator("#exemplar option").all_text_contents()[-len(NAMES) :] == list(NAMES)
        assert tab.locator("h2").all_text_contents() == list(NAMES[: len(page.sections)])
        assert tab.locator("main a").count() == 0
        assert tab.locator("main b").count() == 0
        legends = tab.locator("#segmentation .legendtext").all_text_contents()
        assert np.isin(NAMES, legends).all()
        tab.select_option("#exemplar", "4")
        assert tab.text_content("#facts") == NAMES[4]
        browser.close()
    assert said == []
