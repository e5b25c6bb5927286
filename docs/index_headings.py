#!/usr/bin/env python3
"""Has the reference's search find the headings of pages by each of their words: Doxygen's knows only titles.

    docs/index_headings.py build/reference/html
"""
import html
import json
import pathlib
import re
import sys

site = pathlib.Path(sys.argv[1])
letters = re.search(r'0: "([^"]*)"', (site / "search/searchdata.js").read_text())[1]
entries = {}
for page in sorted(site.glob("md_*.html")) + [site / "index.html"]:
    text = page.read_text()
    title = html.unescape(re.search(r"<title>(?:sfumato: )?(.*?)</title>", text)[1])
    for anchor, heading in re.findall(r'<h[1-4]><a class="anchor" id="([^"]+)"></a>\s*(.*?)</h', text, re.S):
        heading = html.unescape(re.sub(r"<[^>]+>", "", heading)).strip()
        for word in sorted(set(re.findall(r"[a-z][a-z0-9]{2,}", heading.lower())) - {"and", "the", "for", "what", "how"}):
            entries.setdefault(word[0], []).append((word, heading, f"../{page.name}#{anchor}", title))
for letter, found in entries.items():
    if letter in letters:
        file = site / f"search/all_{letters.index(letter):x}.js"
        lines = (json.dumps([f"{word}_h{i}", [heading, [url, 1, title]]])
                 for i, (word, heading, url, title) in enumerate(found))
        file.write_text(re.sub(r"\n\];\s*$", lambda end: ",\n" + ",\n".join(lines) + end[0], file.read_text()))
print(sum(map(len, entries.values())), "words of headings can be searched")
