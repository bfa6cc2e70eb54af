"""The page in a real browser, Debian's chromium, driven by real mouse and keys."""

import importlib.util
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from reports import eight_bits, make_run, stripes

from tsr.pipeline.record import ShotRecord
from tsr.pipeline.report.story import write_report

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (apt install chromium)"),
    pytest.mark.skipif(
        importlib.util.find_spec("playwright") is None, reason="playwright is not installed"
    ),
]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    history = ((100, 1e-3, 30.5), (200, 5e-4, 31.25))
    shot = ShotRecord(
        start=0, stop=8, source="trained", reason="", history=history, psnr=31.25, psnr_cubic=29.0
    )
    record = make_run(folder, eight_bits(stripes(0.6)), shots=(shot,))
    write_report(record, folder / "<img src=x onerror=alert(1)>.html")
    return folder / "<img src=x onerror=alert(1)>.html"


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        # Root has no sandbox; the page is ours.
        started = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def page(browser: "Browser", report: Path) -> Iterator["Page"]:
    """The report, opened; afterwards nothing may have been complained of or asked for."""
    opened = browser.new_page(viewport={"width": 1000, "height": 900})
    complaints: list[str] = []
    asked: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("request", lambda request: asked.append(request.url))
    opened.goto(report.as_uri())
    yield opened
    opened.close()
    assert complaints == []
    assert [url for url in asked if not url.startswith("data:")] == [report.as_uri()]


def _cut(page: "Page") -> float:
    """Where the left picture ends, as a share of its width, from the style that is drawn."""
    clip = page.locator(".before").first.evaluate("e => getComputedStyle(e).clipPath")
    found = re.fullmatch(r"inset\(0(?:px)? (?:calc\()?([-\d.]+)%(?: [-+] 0px)?\)? .*\)", clip)
    assert found, clip
    return 1 - float(found[1]) / 100


def test_the_mouse_moves_the_cut_and_the_picture_changes(page: "Page") -> None:
    stage = page.locator(".stage").first
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    pictures = []
    for share in (0.2, 0.8):
        page.mouse.move(box["x"] + box["width"] / 2, middle)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * share, middle, steps=5)
        page.mouse.up()
        assert _cut(page) == pytest.approx(share, abs=0.02)
        handle = page.locator(".handle").first.bounding_box()
        assert handle is not None
        assert handle["x"] - box["x"] == pytest.approx(share * box["width"], abs=12)
        pictures.append(stage.screenshot())
    assert pictures[0] != pictures[1]


def test_the_keyboard_moves_the_cut(page: "Page") -> None:
    slider = page.get_by_role("slider").first
    slider.focus()
    page.keyboard.press("Home")
    assert _cut(page) == 0
    page.keyboard.press("ArrowRight")
    assert _cut(page) == pytest.approx(0.005, abs=0.001)
    page.keyboard.press("End")
    assert _cut(page) == 1


def test_the_left_side_can_be_interpolation(page: "Page") -> None:
    stage = page.locator(".stage").first
    page.get_by_role("slider").first.focus()
    page.keyboard.press("End")
    held = stage.screenshot()
    page.get_by_label("linear interpolation").first.check()
    assert page.locator(".tag.left").first.inner_text() == "Linear interpolation"
    assert stage.screenshot() != held


def test_frames_of_a_strip_can_be_stepped_and_played(page: "Page") -> None:
    from playwright.sync_api import expect

    player = page.locator(".player").first
    panel = player.locator(".panel.ours")
    player.get_by_role("slider").focus()
    page.keyboard.press("Home")
    assert player.locator("output").inner_text() == "output frame 1 of 16"
    first = panel.screenshot()
    page.keyboard.press("ArrowRight")
    assert player.locator("output").inner_text() == "output frame 2 of 16"
    assert panel.screenshot() != first
    player.get_by_role("button").click()
    expect(player.locator("output")).not_to_have_text("output frame 2 of 16")
    player.get_by_role("button").click()
    assert player.get_by_role("button").inner_text() == "Play"


@pytest.mark.parametrize("width", [360, 800, 1600])
def test_nothing_is_wider_than_the_window(page: "Page", width: int) -> None:
    """Tables and strips scroll by themselves, never the page; every picture is there."""
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    broken = page.evaluate(
        "[...document.images].filter(i => i.src && !(i.complete && i.naturalWidth)).length"
    )
    assert broken == 0


def test_dark_and_light_differ(page: "Page") -> None:
    grounds = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert grounds[0] != grounds[1]


def test_no_script_but_the_page_s_own_runs(browser: "Browser", report: Path) -> None:
    """The page's policy refuses what an escape that failed would let in."""
    page = browser.new_page()
    page.goto(report.as_uri())
    with page.expect_console_message(lambda message: "Content Security Policy" in message.text):
        page.evaluate(
            "document.body.insertAdjacentHTML('beforeend',"
            " '<img src=data:, onerror=\"window.bad=1\">')"
        )
    assert page.evaluate("window.bad") is None
    page.close()
