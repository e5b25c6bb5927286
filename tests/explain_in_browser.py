#!/usr/bin/env python3
"""The page of `explain` as Chromium shows it: forward and back by keys, buttons and slider, nodes that tell their source,
all steps when printed, and nothing asked of any network.

    explain_in_browser.py EXPLAIN [FOLDER]        screenshots go into the folder
"""

import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent / "support"))
from browser import Browser  # noqa: E402

SAYS = "document.getElementById('says').textContent"
COUNT = "document.getElementById('count').textContent"


def check(browser, url, folder):
    def expect(expression, wanted):
        found = browser.value(expression)
        assert found == wanted, f"{expression} is {found!r}, not {wanted!r}"

    browser.look(1200, 900)
    browser.open(url)
    expect("document.querySelector('h1').textContent", "a=0.5, b=3, z=(a*b+tanh(a))^2")
    # Four operations, then six nodes with a gradient (a, b, mul, tanh, add and the square).
    expect(COUNT, "0 of 10")
    expect("document.getElementById('back').disabled", True)
    browser.key("ArrowRight", 39)
    expect(SAYS, "Forward: mul of a = 0.5 and b = 3 is 1.5. It is noted down.")
    browser.key("ArrowLeft", 37)
    expect(SAYS, "The leaves have their values.")
    for _ in range(10):
        browser.click("#forward")
    expect(COUNT, "10 of 10")
    expect("document.getElementById('forward').disabled", True)
    # dz/da = 2 (ab + tanh a)(b + 1 - tanh² a), dz/db = 2 (ab + tanh a) a, to four digits.
    expect("[...document.querySelectorAll('svg .gradient')].slice(0, 2).map(t => t.textContent).join(' ')", "∂ 14.86 ∂ 1.962")
    browser.value("step.value, (e => { e.value = 6; e.dispatchEvent(new Event('input')); })(document.getElementById('step'))")
    expect(COUNT, "6 of 10")
    browser.picture(folder / "light.png")
    browser.click("svg g:nth-of-type(3)")
    assert "record(" in browser.value("document.getElementById('source').textContent"), "a node does not tell its source"
    browser.click("svg g:nth-of-type(1)")
    assert "is a leaf" in browser.value("document.getElementById('source').textContent"), "a leaf does not say so"
    for width, dark in ((390, False), (390, True), (1200, True)):
        browser.look(width, 800, dark=dark, phone=width == 390)
        expect("document.documentElement.scrollWidth <= innerWidth", True)
        browser.picture(folder / f"{width}-{'dark' if dark else 'light'}.png")
    browser.call("Emulation.setEmulatedMedia", media="print", features=[])
    expect("getComputedStyle(document.querySelector('table')).display", "table")
    expect("document.querySelectorAll('tbody tr').length", 11)
    browser.picture(folder / "printed.png")
    others = [request for request in browser.requests if request != url]
    assert not others, f"the page asks for {others}"
    assert not browser.complaints, f"the page complains: {browser.complaints}"


def main():
    with tempfile.TemporaryDirectory() as scratch, Browser() as browser:
        folder = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else scratch)
        folder.mkdir(exist_ok=True)
        page = folder / "explain.html"
        page.write_bytes(subprocess.run([sys.argv[1], "a=0.5", "b=3", "z=(a*b+tanh(a))^2"], check=True,
                                        stdout=subprocess.PIPE).stdout)
        check(browser, page.resolve().as_uri(), folder)
    print("all as it should be")


if __name__ == "__main__":
    main()
