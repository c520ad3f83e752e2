"""The pictures of README.md in headless Chromium: python docs/pictures.py (after make demo).

What is scored and shown next is cut from the demo's page; the talk is held with the assistant's page.

Needs chromium, chromedriver and selenium (`pip install -e ".[dev]"`).
"""

from __future__ import annotations

import base64
import io
import shutil
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from benchmarks.serving import page_served  # noqa: E402

DEMO = HERE.parent / "runs" / "demo"
PAGE = DEMO / "report.html"
PICTURES = {"fit.png": "#fit .grid3", "mend.png": "#mend .mend", "next.png": "#next .person"}  # file: what of the page
FLAGS = ("headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
         "disable-component-update", "disable-sync", "hide-scrollbars")  # fmt: skip
TALK = ("I need a dress for a summer wedding, I'm short", "cheaper, under 80",
        "not red; something like the second but longer", "what shoes go with it?")  # fmt: skip
SECONDS = 90


def keep(png: bytes, name: str) -> None:
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture.quantize(192).save(HERE / name, optimize=True)
    print(HERE / name, picture.size, (HERE / name).stat().st_size)


def talk(browser: webdriver.Chrome) -> None:
    """talk.png: the page after TALK."""
    with page_served(DEMO / "seqllm", DEMO / "data") as (_, address):
        wait = WebDriverWait(browser, SECONDS)
        size = {"width": 1180, "height": 678, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.get(address)
        wait.until(lambda one: one.execute_script("return !!window.dresswell?.send"))
        for count, text in enumerate(TALK, 1):
            browser.find_element("css selector", "#message").send_keys(text, Keys.ENTER)
            wait.until(lambda one, count=count: one.execute_script(
                "return document.querySelectorAll('#talk .round').length >= arguments[0] && "
                "!document.querySelector('.live')", count))  # fmt: skip
        browser.execute_script("document.querySelector('#talk .newest').scrollIntoView()")
        wait.until(lambda one: one.execute_script(
            "return [...document.querySelectorAll('#talk .newest img')].slice(0, 3).every(i => i.naturalWidth)"))
        time.sleep(1)  # pictures fade in
        keep(browser.get_screenshot_as_png(), "talk.png")


def main() -> None:
    with tempfile.TemporaryDirectory() as profile:
        options = Options()
        options.binary_location = shutil.which("chromium")
        for flag in (*FLAGS, f"user-data-dir={profile}"):
            options.add_argument(f"--{flag}")
        browser = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        try:
            size = {"width": 1160, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            browser.get(PAGE.as_uri())
            browser.execute_script("document.querySelectorAll('img').forEach(i => i.loading = 'eager')")
            WebDriverWait(browser, SECONDS).until(lambda one: one.execute_script(
                "return [...document.images].every(i => i.complete && i.naturalWidth)"))  # fmt: skip
            for name, place in PICTURES.items():
                box = browser.execute_script(
                    "const b = document.querySelector(arguments[0]).getBoundingClientRect();"
                    "return {x: b.x - 16, y: b.y + scrollY - 16, width: b.width + 32, height: b.height + 32, scale: 1}",
                    place,
                )
                shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"clip": box, "captureBeyondViewport": True})
                keep(base64.b64decode(shot["data"]), name)
            talk(browser)
        finally:
            browser.quit()


if __name__ == "__main__":
    main()
