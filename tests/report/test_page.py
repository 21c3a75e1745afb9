"""The report of a tiny data set in a browser: opened from a file, looked at, operated."""

import base64
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from tiny_dataset import tiny_generator, write_image

from intrastyler_nnunet.cli import main
from intrastyler_nnunet.pretraining.panel import save_panel

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SITES = ("bright", "noisy")
MARKUP = "<img src=x onerror=alert(1)>"  # as the name of a results folder
EXEMPLARS = [f"{site}_{number}" for site in SITES for number in range(4)]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium")


@pytest.fixture(scope="module")
def report(tiny_dataset, tmp_path_factory) -> Path:
    """report.html of target images of two kinds, with a pretraining and a segmentation to show."""
    import torch
    from tiny_dataset import TinyDataset

    root = tmp_path_factory.mktemp("report")
    shutil.copytree(tiny_dataset.root, root / "nnunet")
    dataset, run = TinyDataset(root / "nnunet"), root / "run"
    shutil.rmtree(dataset.preprocessed / "nnUNetPlans_3d_fullres_target")
    add_exemplars(dataset.raw)
    run.mkdir()
    tiny_generator(style_patch_size=(8, 16, 16)).save(run / "generator.safetensors")
    rows = [{"iteration": step, "style": 1 / step, "nce": 5.0, "skipped": 0} for step in (10, 20)]
    (run / "stats.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    images = [torch.zeros(1, 1, 8, 8, 4)]
    for step in (10, 20):
        save_panel(images, images, [[images[0] + step / 20]], run / f"panel_{step:07d}.png")
    for trainer, style in (("nnUNetTrainerIntraStyler", "noisy_1"), (MARKUP, MARKUP)):
        fold = dataset.results / f"{trainer}__nnUNetPlans__tiny" / "fold_0"
        fold.mkdir(parents=True)
        (fold / "styles.jsonl").write_text(json.dumps({"epoch": 0, "dice": {style: 0.25, "bright_0": None}}) + "\n")
    with pytest.MonkeyPatch.context() as monkeypatch:
        dataset.use(monkeypatch)
        main(["add-target", "-d", "998", "-c", "tiny", "-np", "1"])
        main(["report", "-d", "998", "-c", "tiny", "-device", "cpu", "-g", str(run / "generator.safetensors"),
              "-i", str(tiny_dataset.raw / "imagesTarget"), "-o", str(root / "report.html")])  # fmt: skip
    return root / "report.html"


def add_exemplars(raw: Path) -> None:
    """Two kinds of target images, and the file that says which is which."""
    shutil.rmtree(raw / "imagesTarget")
    rng = np.random.default_rng(0)
    for name in EXEMPLARS:
        path = raw / "imagesTr" / f"source_{name[-1]}_0000.nii.gz"
        source = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
        noise = rng.uniform(200, 400) * rng.normal(size=source.shape)
        image = source**2 if name.startswith("bright") else source + noise
        write_image(raw / "imagesTarget" / f"{name}_0000.nii.gz", image.astype(np.float32))
    records = [{"case": name, "site": name.split("_")[0]} for name in EXEMPLARS]
    (raw / "sites.json").write_text(json.dumps({"cases": records}))


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])


@pytest.fixture(scope="module", params=[(1280, 900, "light"), (390, 844, "dark")], ids=["desktop", "phone"])
def page(report, browser, request):
    """The opened page, whose console stays empty and which asks the network for nothing."""
    width, height, scheme = request.param
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    page.set_default_timeout(60_000)  # a busy machine reads 5 MB of script slowly
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(report.as_uri())
    page.wait_for_selector('[data-figure="map"] .main-svg')
    yield page
    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [report.as_uri()]
    page.close()


def shown_points(page) -> list[dict]:
    """Name, numbers and marker colour of the map's visible groups."""
    return page.evaluate(
        "document.querySelector('[data-figure=map]').data.filter((trace) => trace.visible && trace.customdata)"
        ".map(({name, customdata, marker, x, y}) => ({name, points: Array.from(customdata), colour: marker.color}))"
    )


def test_hovering_a_point_shows_its_slice_and_name(page):
    names = [point["name"] for point in page.evaluate("data.points")]
    assert names[: len(EXEMPLARS)] == sorted(EXEMPLARS)
    for number in (0, len(EXEMPLARS) - 1, len(EXEMPLARS)):  # the last is a new image
        x, y = page.evaluate(
            """(number) => {
                const div = document.querySelector('[data-figure=map]'), { xaxis, yaxis } = div._fullLayout;
                div.scrollIntoView();
                const box = div.getBoundingClientRect(), [x, y] = data.points[number].place;
                return [box.x + xaxis._offset + xaxis.l2p(x), box.y + yaxis._offset + yaxis.l2p(y)];
            }""",
            number,
        )
        page.mouse.move(x - 30, y - 30)
        page.mouse.move(x, y, steps=4)
        page.wait_for_function("(name) => byId('facts').textContent.startsWith(name)", arg=names[number])
        assert page.get_attribute("#thumbnail", "src") == page.evaluate("(n) => data.points[n].picture", number)
    loaded = page.evaluate("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
    assert loaded


def test_an_exemplar_can_be_chosen_with_the_keyboard(page):
    page.focus("#exemplar")
    first = page.get_attribute("#thumbnail", "alt")
    page.keyboard.press("End")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    assert page.get_attribute("#thumbnail", "alt") != first


def views(page) -> list[str]:
    """What the three linked views show."""
    return page.evaluate("[...document.querySelectorAll('#look canvas')].map((canvas) => canvas.toDataURL())")


def test_the_page_begins_with_a_sentence_and_a_picture(page):
    kinds = page.evaluate("[...document.querySelector('header').children].map((part) => part.id || part.localName)")
    assert kinds[:3] == ["h1", "p", "look"]
    assert page.locator("#look table").count() == 0
    assert page.evaluate("document.documentElement.outerHTML.length") < 15e6


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_going_through_slices_changes_all_three_views(page, plane):
    page.check(f'[name="plane"][value="{plane}"]')
    page.focus("#slice")
    page.keyboard.press("Home")
    shown = [views(page)]
    count = int(page.get_attribute("#slice", "max")) + 1
    assert page.text_content("#slice-value") == f"1 of {count}"
    for _ in range(3):  # the first slices of the tiny images differ by their noise
        page.keyboard.press("ArrowRight")
        shown.append(views(page))
    assert page.text_content("#slice-value") == f"4 of {count}"
    assert all(len(set(view)) > 1 for view in zip(*shown, strict=True))
    page.locator("#look canvas").nth(1).click()  # from now on the wheel turns slices, not the page
    page.mouse.wheel(0, -100)
    page.wait_for_function("(text) => byId('slice-value').textContent === text", arg=f"3 of {count}")
    assert views(page) == shown[2]
    page.keyboard.press("PageUp")
    assert views(page) == shown[3]


def test_the_views_show_the_voxels_of_the_volumes(page):
    page.check('[name="plane"][value="coronal"]')
    page.focus("#slice")
    page.keyboard.press("Home")
    for number, volume in enumerate(page.evaluate("data.viewer.volumes")):
        voxels = np.frombuffer(base64.b64decode(volume["voxels"]), np.uint8).reshape(volume["shape"])
        drawn = page.evaluate(
            """(number) => {
                const canvas = document.querySelectorAll("#look canvas")[number];
                const { data, width, height } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
                return [height, width, ...data];
            }""",
            number,
        )
        image = np.reshape(drawn[2:], (*drawn[:2], 4))
        np.testing.assert_array_equal(image[:, :, 0], voxels[:, 0, ::-1].T)  # the third axis points up


def test_the_cross_hair_is_at_the_same_place_in_all_views(page):
    page.check('[name="plane"][value="axial"]')
    canvas = page.locator("#look canvas").first
    canvas.click(position={"x": canvas.bounding_box()["width"] * 0.75, "y": 5})
    places = page.evaluate(
        "[...document.querySelectorAll('.view')].map((view) => parseFloat(view.style.getPropertyValue('--right')))"
    )
    assert places == pytest.approx([75] * 3, abs=2)
    page.keyboard.press("ArrowLeft")
    moved = page.evaluate("data.viewer.place[0]")
    assert moved < 0.75


def test_colouring_by_site_groups_the_points_by_site(page):
    assert [group["name"] for group in shown_points(page)][:-2] == ["cluster 1", "cluster 2"]
    page.check('[name="colouring"][value="site"]')
    groups = shown_points(page)
    assert [group["name"] for group in groups] == [*SITES, "typical exemplar", "new image"]
    order = sorted(EXEMPLARS)
    for group in groups[:2]:
        assert {order[i] for i in group["points"]} == {name for name in order if name.startswith(group["name"])}
    assert groups[0]["colour"] != groups[1]["colour"]


def test_the_slider_goes_from_one_style_to_the_other(page):
    frames = []
    page.focus("#t")
    page.keyboard.press("Home")
    for _ in range(11):
        frames.append(page.get_attribute("#frame", "src"))
        page.keyboard.press("ArrowRight")
    ends = page.evaluate("data.ends")
    assert frames[0] == ends[0]
    assert frames[-1] == ends[1]
    assert len(set(frames)) > 5
    page.select_option("#from", "1")
    page.select_option("#to", "0")
    assert page.get_attribute("#frame", "src") == ends[0]
    page.focus("#t")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert page.get_attribute("#frame", "src") == frames[-2]


def test_the_panel_follows_its_slider(page):
    last = page.get_attribute("#panel", "src")
    assert page.text_content("#step-value") == "20"
    page.focus("#step")
    page.keyboard.press("Home")
    assert page.text_content("#step-value") == "10"
    assert page.get_attribute("#panel", "src") != last


def test_nothing_is_wider_than_the_window(page):
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]


def test_sections_and_numbers_are_there(page):
    titles = page.locator("h2").all_text_contents()
    assert titles == ["Style map", "Clusters", "Translations", "Between two styles", "Pretraining",
                      "Segmentation by style", "Coverage"]  # fmt: skip
    assert page.locator("#clusters td").first.text_content() == "1"
    headings = page.locator("#segmentation h3").all_text_contents()
    assert headings == [f"{MARKUP}, fold 0", "nnUNetTrainerIntraStyler, fold 0"]
    cells = page.locator("#segmentation td").all_text_contents()
    assert cells == [MARKUP, "0.250", "0.250", "noisy_1", "0.250", "0.250"]
    assert page.locator("#translations .matrix tr").count() == 1 + 3
    assert page.locator("#coverage tr").count() == 1 + 3
