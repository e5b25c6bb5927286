#!/usr/bin/env python3
"""`neural_style studio` in Chromium, by clicks and keys as a person has them: two pictures, a painting that is watched,
stopped, gone on with, compared and downloaded; a second job that waits; what is kept. Pictures of the page stay in
$STUDIO_PICTURES."""

import os
import pathlib
import shutil
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "support"))
from browser import Browser  # noqa: E402
from studio import IMAGES, Studio, skip_unless_built  # noqa: E402

skip_unless_built()
if not shutil.which("chromium"):
    print("SKIPPED: no chromium")
    sys.exit(77)

scratch = tempfile.TemporaryDirectory()
folder = pathlib.Path(scratch.name)
pictures = pathlib.Path(os.environ.get("STUDIO_PICTURES") or folder / "pictures")
pictures.mkdir(parents=True, exist_ok=True)


def photograph(page, name):
    """The page as it is, on a desktop and a phone, in light and dark."""
    seen = set()
    for width, height, phone in ((1280, 860, False), (390, 844, True)):
        for dark in (False, True):
            page.look(width, height, dark, phone)
            assert page.value("document.documentElement.scrollWidth <= innerWidth"), f"{name}: wider than {width}"
            file = pictures / f"{name}-{width}-{'dark' if dark else 'light'}.png"
            page.picture(file)
            seen.add(file.read_bytes())
    assert len(seen) == 4, f"{name}: two of the pictures are alike"
    page.look(1280, 860)


def text(page, name):
    return page.value(f"document.getElementById('{name}').textContent")


def visible(name):
    return f"(e => !e.hidden && e.getClientRects().length > 0)(document.getElementById('{name}'))"


def tabbed(page):
    """Everything the Tab key comes to, each with a ring that can be seen."""
    page.value("document.activeElement.blur()")
    found = []
    for _ in range(60):
        page.key("Tab", 9)
        name, ring = page.value(
            "(() => { const e = document.activeElement; const on = [e, e.closest('.well'), e.closest('.frame')]"
            ".some(x => x && getComputedStyle(x).outlineStyle !== 'none');"
            "return [e.id || (e.closest('.well') || {dataset: {}}).dataset.role || e.tagName, on]; })()")
        if found and name == found[0]:
            break
        if name == "BODY":  # the end of the page, behind which its beginning comes
            continue
        assert ring, f"the focus can't be seen on {name}"
        found.append(name)
    return found


with Browser() as page:
    with Studio(folder=folder) as studio:
        page.look(1280, 860)
        page.open(studio.url)
        page.wait_for(visible("empty"))
        photograph(page, "empty")
        reached = tabbed(page)
        for name in ("content", "style", "manner", "strength", "size", "colors", "SUMMARY", "paint"):
            assert name in reached, f"Tab does not come to {name}: {reached}"

        # Without pictures it says what is missing; what is no picture is refused.
        page.click("#paint")
        page.wait_for("document.getElementById('trouble').textContent.includes('photograph')")
        (folder / "no.jpg").write_text("no picture")
        page.choose("[data-role=content] input", folder / "no.jpg")
        page.wait_for("document.querySelector('[data-role=content]').classList.contains('wrong')")
        page.choose("[data-role=content] input", IMAGES / "cat.jpg")
        page.choose("[data-role=style] input", IMAGES / "suns.jpg")
        page.wait_for("document.querySelectorAll('.well.full img').length === 2")
        page.complaints.clear()  # of the picture that was refused with status 422

        # The sliders by keys, a small size, and a number of steps.
        page.value("document.getElementById('size').focus()")
        page.key("Home", 36)
        assert text(page, "size-value") == "64 pixels", text(page, "size-value")
        page.value("document.getElementById('strength').focus()")
        page.key("ArrowLeft", 37)
        assert text(page, "strength-value") == "95 %", text(page, "strength-value")
        page.click("summary")
        page.value("document.getElementById('steps').focus()")
        page.call("Input.insertText", text="6000")
        page.value("document.getElementById('paint').focus()")
        page.key("Enter", 13, "\r")

        # It is seen how it comes about.
        page.wait_for("document.getElementById('after').src.includes('/preview?')")
        page.wait_for("document.getElementById('after').naturalWidth > 0")
        first = page.value("progress.iteration")
        view = page.value("document.getElementById('after').src")
        page.wait_for(f"progress.iteration > {first}")
        page.wait_for(f"document.getElementById('after').src !== '{view}'")
        assert "left" in text(page, "standing"), text(page, "standing")

        # A second job waits.
        page.value("document.getElementById('steps').value = '3'")
        page.click("#paint")
        page.wait_for("jobs.length === 2 && jobs[1].state === 'waiting'")
        page.wait_for("document.getElementById('standing').textContent.startsWith('Waits')")
        page.click("#list li:nth-child(2) button")
        photograph(page, "painting")

        # Stopped, the other is painted.
        page.click("#stop")
        page.wait_for("jobs[0].state === 'stopped'")
        page.wait_for("jobs[1].state === 'done'")
        stopped = page.value("jobs[0].done")
        assert 0 < stopped < 1, stopped
        page.click("#list li:nth-child(2) button")
        page.wait_for(visible("continue"))
        assert text(page, "standing").startswith("Stopped at"), text(page, "standing")
        early = page.value("fetch(document.getElementById('download').href).then(a => a.arrayBuffer())"
                           ".then(b => new Uint8Array(b).reduce((s, x) => (s * 31 + x) % 1000003, 7))")

        # It goes on from where it was.
        page.click("#continue")
        page.wait_for("progress && jobs[0].state === 'painting'")
        assert page.value("progress.done") >= stopped, "it began anew"
        page.wait_for("jobs[0].state === 'done'")
        page.wait_for(visible("download"))
        late = page.value("fetch(document.getElementById('download').href).then(a => a.arrayBuffer())"
                          ".then(b => new Uint8Array(b).reduce((s, x) => (s * 31 + x) % 1000003, 7))")
        assert early != late, "the picture is the one of before"

        # Compared by keys and by the mouse.
        page.value("document.getElementById('compare').focus()")
        page.key("Home", 36)
        assert page.value("getComputedStyle(document.getElementById('after')).clipPath") in (
            "inset(0px)", "inset(0px 0px 0px 0%)"), page.value("getComputedStyle(document.getElementById('after')).clipPath")
        page.key("End", 35)
        assert "100%" in page.value("getComputedStyle(document.getElementById('after')).clipPath")
        page.click("#compare")
        cut = int(page.value("document.getElementById('compare').value"))
        assert 45 <= cut <= 55, cut
        photograph(page, "done")
        reached = tabbed(page)
        for name in ("compare", "again", "remove", "download", "manner", "paint"):
            assert name in reached, f"Tab does not come to {name}: {reached}"

        # Downloaded under a name that says what it is.
        page.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder / "downloads"))
        page.click("#download")
        file = folder / "downloads" / "cat-in-the-style-of-suns.png"
        until = time.time() + 30
        while not file.exists() and time.time() < until:
            time.sleep(0.1)
        assert file.read_bytes().startswith(b"\x89PNG"), "no picture was downloaded"

        # Its settings and pictures can be had again.
        page.open(studio.url)
        page.wait_for("jobs.length === 2")
        page.click("#list li:nth-child(2) button")
        page.click("#again")
        page.wait_for("document.querySelectorAll('.well.full').length === 2")
        assert page.value("[...document.querySelectorAll('.well .note')].map(e => e.textContent).join()") == "cat,suns"
        assert text(page, "strength-value") == "95 %" and text(page, "size-value") == "64 pixels"
        assert page.value("document.getElementById('steps').value") == "6000"

        # What options do not go together is said in the page.
        page.value("document.getElementById('size').min = 16; document.getElementById('size').value = 16")
        page.click("#paint")
        page.wait_for("document.getElementById('trouble').textContent.includes('--size must be')")
        page.complaints.clear()
        outside = [url for url in page.requests if not url.startswith((studio.url, "data:"))
                   and url != "about:blank"]
        assert not outside, outside
        assert studio.end() == 130, "not ended by the signal"
        page.wait_for(visible("lost"))
        page.complaints.clear()

    # Another studio has what the one before has kept; a result is removed in two steps.
    with Studio(folder=folder) as studio:
        page.open(studio.url)
        page.wait_for("jobs.length === 2 && jobs.every(job => job.state === 'done')")
        page.wait_for("document.getElementById('after').naturalWidth > 0")
        page.click("#remove")
        assert page.value("jobs.length") == 2
        page.click("#remove")
        page.wait_for("jobs.length === 1")
        assert len(list((studio.folder / "results").iterdir())) == 1
        assert not page.complaints, page.complaints
print("all as it should be")
