"""The pictures of README.md, cut from the demo's page in headless Chromium: python docs/pictures.py (after make demo).

Needs chromium, chromedriver and selenium (`pip install -e ".[dev]"`).
"""

from __future__ import annotations

import base64
import io
import shutil
import tempfile
from pathlib import Path

from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "runs" / "demo" / "report.html"
PICTURES = {"fit.png": "#fit .grid3", "mend.png": "#mend .mend", "next.png": "#next .person"}  # file: what of the page
FLAGS = ("headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
         "disable-component-update", "disable-sync", "hide-scrollbars")  # fmt: skip


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
            for name, place in PICTURES.items():
                box = browser.execute_script(
                    "const b = document.querySelector(arguments[0]).getBoundingClientRect();"
                    "return {x: b.x - 16, y: b.y + scrollY - 16, width: b.width + 32, height: b.height + 32, scale: 1}",
                    place,
                )
                shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"clip": box, "captureBeyondViewport": True})
                picture = Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB")
                picture.quantize(192).save(HERE / name, optimize=True)
                print(HERE / name, picture.size, (HERE / name).stat().st_size)
        finally:
            browser.quit()


if __name__ == "__main__":
    main()
