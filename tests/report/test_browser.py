"""The pages in a real browser: Chromium, headless, by Selenium. Skipped where there is none."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from colorcli.items import Failure, Finished, Job
from colorcli.report.run import RunReport
from colorcli.report.study import NATURAL, PREFER, tally
from colorcli.report.study_page import write_study
from colorcli.run.judge import Unchanged
from colorcli.run.request import Request

_BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_DRIVER = shutil.which("chromedriver")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (_BROWSER and _DRIVER), reason="no Chromium with its chromedriver is installed"),
]
_FIRST = ".card .pair"
_SPLIT = "return getComputedStyle(document.querySelector('.card .pair')).getPropertyValue('--split')"
_NAMES = "return [...document.querySelectorAll('.card h2')].map(one => one.textContent)"


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def browser(downloads: Path) -> Iterator[Any]:
    """One browser for all of these tests; what it logs and which requests it makes are kept."""
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = _BROWSER
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(_DRIVER))
    driver.set_window_size(1280, 900)
    yield driver
    driver.quit()


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[[Path], Any]]:
    """opened(page): the browser at that page. Oracle, after every test: its console and its log of requests: no error,
    and no address but of files and data."""

    def open_(page: Path) -> Any:
        for kind in ("browser", "performance"):
            browser.get_log(kind)  # those of the page before
        browser.get(page.as_uri())
        return browser

    yield open_
    assert [entry for entry in browser.get_log("browser") if entry["level"] != "INFO"] == []
    sent = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [one["params"]["request"]["url"] for one in sent if one["method"] == "Network.requestWillBeSent"]
    assert asked and [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


@pytest.fixture(scope="module")
def page(
    tmp_path_factory: pytest.TempPathFactory, put_color: Callable[..., Path], put_photo: Callable[..., Path]
) -> Path:
    """A page of six results, of which two have an original, and two failures; one name is hostile."""
    folder = tmp_path_factory.mktemp("page")
    gray, color = put_photo(folder / "gray.png"), put_color(folder / "color.png", "coffee", 96, 96)
    other = put_color(folder / "other.png", "rocket", 96, 96)
    report = RunReport(folder / "r.html", Request("smsanet"), 8)
    for n, name in enumerate(("photo 10.png", "photo 9.png", "<img src=x onerror=alert(1)>.png")):
        report.add(Finished(Job(gray, (color, other, gray)[n], name), ("a note",)))
    report.add(Finished(Job(color, other, "colour b.png")))
    report.add(Finished(Job(other, gray, "colour a.png")))
    report.add(Unchanged(Job(gray, color, "old.png")))
    report.add(Failure("torn.png", "decode", "it is torn"))
    report.add(Failure("empty.png", "decode", "it is empty"))
    report.write()
    report.close()
    return folder / "r.html"


def _percent(browser: Any) -> float:
    return float(browser.execute_script(_SPLIT).strip().rstrip("%"))


def test_the_mouse_moves_the_split(page: Path, opened: Callable[[Path], Any]) -> None:
    """Oracle: the place of the pointer in the picture, within 2 %: a pixel of 300 and whole steps."""
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By

    browser = opened(page)
    pair = browser.find_element(By.CSS_SELECTOR, _FIRST)
    assert _percent(browser) == 50
    wide = pair.size["width"]
    ActionChains(browser).move_to_element_with_offset(pair, -0.3 * wide, 0).click().perform()
    assert _percent(browser) == pytest.approx(20, abs=2)
    drag = ActionChains(browser).move_to_element_with_offset(pair, 0, 0).click_and_hold()
    drag.move_by_offset(round(0.4 * wide), 5).release().perform()
    assert _percent(browser) == pytest.approx(90, abs=2)
    ActionChains(browser).move_to_element_with_offset(pair, 0, 0).perform()
    assert _percent(browser) == pytest.approx(90, abs=2)  # let go of
    clip = browser.execute_script("return getComputedStyle(document.querySelector('.pair .before')).clipPath")
    assert clip.startswith("inset(0px 1")  # 10 % from the right, whatever its unit


def test_keys_move_the_split(page: Path, opened: Callable[[Path], Any]) -> None:
    """Oracle: a slider's keys (ARIA): arrows by one, Home and End to its ends; Tab reaches it; it is named."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    browser = opened(page)
    browser.find_element(By.ID, "order").send_keys(Keys.TAB)
    while browser.switch_to.active_element.get_attribute("type") != "range":
        browser.switch_to.active_element.send_keys(Keys.TAB)
    slider = browser.switch_to.active_element
    assert slider.aria_role == "slider" and "how much of the photo before" in slider.accessible_name
    for keys, split in ((Keys.ARROW_RIGHT * 3, 53), (Keys.ARROW_LEFT, 52), (Keys.HOME, 0), (Keys.END, 100)):
        slider.send_keys(keys)
        assert _percent(browser) == split
    assert slider.get_attribute("aria-valuetext") == "100 % before"


def test_touch_moves_the_split(page: Path, opened: Callable[[Path], Any]) -> None:
    """Oracle: the place that a finger touches, at a phone's width, within 2 %."""
    browser = opened(page)
    phone = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    try:
        place = browser.execute_script(
            f"const pair = document.querySelector('{_FIRST}'); pair.scrollIntoView({{block: 'center'}});"
            "const {x, y, width, height} = pair.getBoundingClientRect(); return [x, y + height / 2, width]"
        )
        point = {"x": place[0] + 0.25 * place[2], "y": place[1]}
        for kind, points in (("touchStart", [point]), ("touchEnd", [])):
            browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        assert _percent(browser) == pytest.approx(25, abs=2)
        assert browser.execute_script("return document.documentElement.scrollWidth") == 390  # nothing sticks out
    finally:
        browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def _choose(browser: Any, field: str, value: str) -> list[str]:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import Select

    Select(browser.find_element(By.ID, field)).select_by_value(value)
    return list(browser.execute_script(_NAMES))


def test_sorting(page: Path, opened: Callable[[Path], Any]) -> None:
    """Oracle: names as people count (9 before 10); by PSNR those without one last, both ways; failed ones first."""
    browser = opened(page)
    names = list(browser.execute_script(_NAMES))
    assert names.index("photo 9.png") < names.index("photo 10.png") and len(names) == 8
    rising, falling = (_choose(browser, "order", key)[:2] for key in ("psnr", "psnr-down"))
    assert set(rising) == {"colour a.png", "colour b.png"} and falling == rising[::-1]
    assert _choose(browser, "order", "state")[:2] == ["empty.png", "torn.png"]
    rows = json.loads(browser.execute_script("return document.getElementById('rows').textContent"))
    vivid = sorted((row for row in rows if "figures" in row), key=lambda row: -float(row["figures"]["colourfulness"]))
    shown = _choose(browser, "order", "colourfulness-down")
    assert [row["figures"]["colourfulness"] for name in shown[:6] for row in rows if row["name"] == name] == [
        row["figures"]["colourfulness"] for row in vivid
    ]


def test_filtering(page: Path, opened: Callable[[Path], Any]) -> None:
    """Oracle: the names and states of the rows; what is typed is found in any case; nothing found is said."""
    from selenium.webdriver.common.by import By

    browser = opened(page)
    assert _choose(browser, "state", "failed") == ["empty.png", "torn.png"]
    assert _choose(browser, "state", "unchanged") == ["old.png"]
    _choose(browser, "state", "")
    browser.find_element(By.ID, "name").send_keys("COLOUR")
    assert list(browser.execute_script(_NAMES)) == ["colour a.png", "colour b.png"]
    assert browser.find_element(By.ID, "shown").text == "2 of 8"
    browser.find_element(By.ID, "name").send_keys(" none")
    assert list(browser.execute_script(_NAMES)) == []
    assert browser.find_element(By.ID, "cards").text == "Nothing is called so."


def test_what_cards_tell(page: Path, opened: Callable[[Path], Any]) -> None:
    """Oracle: the outcomes that were given; a hostile name is text (an alert would stop the driver); pictures load."""
    from selenium.webdriver.common.by import By

    browser = opened(page)
    text = browser.find_element(By.ID, "cards").text
    assert "<img src=x onerror=alert(1)>.png" in text and "a note" in text and "it is torn" in text and "PSNR" in text
    broken = "return [...document.images].filter(one => one.complete && !one.naturalWidth).length"
    assert browser.execute_script(broken) == 0
    assert browser.execute_script("return document.querySelectorAll('.card img').length") == 12
    alts = browser.execute_script("return [...document.querySelectorAll('.pair img')].every(one => one.alt)")
    assert alts is True


def test_pictures_beside_the_page_load(
    tmp_path: Path, put_color: Callable[..., Path], opened: Callable[[Path], Any]
) -> None:
    """Oracle: the picture's own width in the browser: the page's policy lets pictures of its folder in."""
    photo = put_color(tmp_path / "a#b%.png")
    report = RunReport(tmp_path / "r #1%.html", Request("smsanet"), 31)
    for n in range(31):
        report.add(Finished(Job(photo, photo, f"{n}.png")))
    report.write()
    report.close()
    browser = opened(tmp_path / "r #1%.html")
    widths = "return [...document.images].slice(0, 4).map(one => one.naturalWidth)"
    ends = time.monotonic() + 20
    while browser.execute_script(widths) != [60] * 4 and time.monotonic() < ends:
        time.sleep(0.05)
    assert browser.execute_script(widths) == [60] * 4


def test_ten_thousand_rows_are_quick(tmp_path: Path, opened: Callable[[Path], Any]) -> None:
    """Oracle: the clock: ten seconds to open, choose and turn the page, on a busy machine too; 48 cards at once."""
    from selenium.webdriver.common.by import By

    report = RunReport(tmp_path / "r.html", Request("smsanet"), 10_000)
    for n in range(10_000):
        report.add(Failure(f"photo {n}.jpg", "decode", "it is torn"))
    report.write()
    report.close()
    started = time.monotonic()
    browser = opened(tmp_path / "r.html")
    assert list(browser.execute_script(_NAMES)) == [f"photo {n}.jpg" for n in range(48)]
    browser.find_element(By.ID, "later").click()
    assert browser.find_element(By.ID, "which").text == "49 to 96 of 10,000"
    browser.find_element(By.ID, "name").send_keys("9999")
    assert list(browser.execute_script(_NAMES)) == ["photo 9999.jpg"]
    assert time.monotonic() - started < 10


def _saved(downloads: Path) -> Path:
    """The one file that the browser saved, when it is whole."""
    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        if found := list(downloads.glob("study-answers*.json")):
            return found[0]
        time.sleep(0.05)
    raise AssertionError(f"nothing was saved; there are {list(downloads.iterdir())}")


@pytest.mark.parametrize("kind", [NATURAL, PREFER])
def test_a_study_saves_what_tally_reads(
    kind: str, tmp_path: Path, downloads: Path, put_color: Callable[..., Path], opened: Callable[[Path], Any]
) -> None:
    """Oracle: what was pressed, read back by `tally`: by button and by key, one answer taken back and given anew."""
    from selenium.webdriver.common.by import By

    for folder, name in (("ours", "coffee"), ("theirs", "rocket")):
        for n in range(3):
            put_color(tmp_path / folder / f"{n}.png", name)
    questions = write_study(tmp_path / "s.html", [tmp_path / "ours", tmp_path / "theirs"], kind, seed=4)
    browser = opened(tmp_path / "s.html")
    assert not browser.find_element(By.ID, "save").is_enabled()
    buttons = "#answers button"
    browser.find_elements(By.CSS_SELECTOR, buttons)[1].click()
    browser.find_element(By.ID, "back").click()
    browser.find_elements(By.CSS_SELECTOR, buttons)[0].click()
    for _ in range(questions - 1):
        browser.find_element(By.TAG_NAME, "body").send_keys("1")
    assert "Thank you" in browser.find_element(By.ID, "progress").text
    assert "ours" not in browser.find_element(By.TAG_NAME, "body").text.replace("yours", "")
    browser.find_element(By.ID, "save").click()
    saved = _saved(downloads)
    told, answers = tally([saved]), json.loads(saved.read_text())
    saved.unlink()
    assert answers["seed"] == 4 and answers["photos"] == ["0", "1", "2"]
    assert [row.folder for row in told.rows] == ["ours", "theirs"]
    assert sum(row.chosen for row in told.rows) == questions
    if kind == NATURAL:
        assert [(row.shown, row.chosen) for row in told.rows] == [(3, 3), (3, 3)]
    else:  # the first of each pair, which is either as often, give or take one
        assert sorted(row.chosen for row in told.rows) == [1, 2]
