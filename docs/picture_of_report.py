"""Takes the pictures of docs/report.md from a report, in Chromium without a window.

Run it as: python docs/picture_of_report.py report.html report.png report_sample.png
"""

import argparse
import pathlib
import shutil

from playwright.sync_api import sync_playwright


def main():
    """Writes a picture of the gallery and one of an opened sample."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=pathlib.Path)
    parser.add_argument("gallery", type=pathlib.Path, help="PNG file to write")
    parser.add_argument("sample", type=pathlib.Path, help="PNG file to write")
    options = parser.parse_args()
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1180, "height": 760})
        page.goto(options.report.resolve().as_uri())
        page.locator("#samples").evaluate("section => section.scrollIntoView()")
        page.wait_for_timeout(1000)
        page.screenshot(path=options.gallery)
        page.locator(".gallery button").nth(1).click()
        page.wait_for_timeout(500)
        page.screenshot(path=options.sample)
        browser.close()


if __name__ == "__main__":
    main()
