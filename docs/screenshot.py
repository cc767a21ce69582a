"""Photograph a finished study's report for the README: `python docs/screenshot.py PAGE PICTURE [options]`.

It needs a Chromium on the machine; playwright drives it. The picture has 256 colours, which keeps it small.
"""

import argparse
import io
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

COLOURS = 256
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def photograph(page: str, width: int, height: int, scale: float, below: str, click: str) -> bytes:
    """Open a page in Chromium and take a picture of a part of it.

    Args:
        page: The page's address; it may have a fragment such as `#term=asthma`.
        width: The window's width in CSS pixels.
        height: The height of the part in CSS pixels.
        scale: Pixels of the picture for each CSS pixel.
        below: A CSS selector; the part begins at the first element that matches. "" for the top of the page.
        click: A CSS selector of something to click first; "" for nothing.

    Returns:
        A PNG.
    """
    browsers = [path for name in BROWSERS if (path := shutil.which(name))]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browsers[0], args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": width, "height": height}, device_scale_factor=scale)
        tab.goto(page)
        tab.wait_for_timeout(1000)
        if click:
            tab.click(click)
            tab.wait_for_timeout(500)
        top = 0
        if below:
            top = tab.locator(below).first.evaluate("e => e.getBoundingClientRect().top + scrollY - 12")
        clip = {"x": 0, "y": max(0, top), "width": width, "height": height}
        picture: bytes = tab.screenshot(full_page=True, clip=clip)
        browser.close()
    return picture


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", help="report/index.html of a study, perhaps with a fragment")
    parser.add_argument("picture", type=Path)
    parser.add_argument("--width", type=int, default=1100)
    parser.add_argument("--height", type=int, default=700)
    parser.add_argument("--scale", type=float, default=2)
    parser.add_argument("--below", default="", help="CSS selector of the first element in the picture")
    parser.add_argument("--click", default="", help="CSS selector of something to click first")
    given = parser.parse_args()
    file, hash_, fragment = given.page.partition("#")
    address = Path(file).resolve().as_uri() + hash_ + fragment
    shot = photograph(address, given.width, given.height, given.scale, given.below, given.click)
    flat = Image.open(io.BytesIO(shot)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    flat.save(given.picture, optimize=True)
    print(f"{given.picture}: {flat.width} x {flat.height}, {given.picture.stat().st_size / 1000:.0f} kB")
