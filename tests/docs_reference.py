#!/usr/bin/env python3
"""Finds public names that nobody shows how to use, or says what they are.

    tests/docs_reference.py [--list]

Public is what headers declare outside namespaces `detail`, but for what cpu/ and cuda/ are made of, and
public members of public types. Each name of a namespace wants a comment above it, and each name a place in
the code of a page, which tests/docs_code.py compiles and runs: `space::name` where the namespace is one
inside `sfumato`, `.name` or `::name` of a member. A struct is shown by its fields, and an op by the member
of Variable. The tables of docs/pytorch.md are compiled, too.
"""
import pathlib
import re
import sys

SOURCE = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = SOURCE / "include/sfumato"
# What programs do not write: the insides of devices, of graphs and of readers (docs/guarantees.md).
INSIDES = re.compile(r"cpu/(?!options)|cuda|instances|autodiff/(any_variable|value_in_place)|core/(arange|"
                     r"backend|control_group|division|geometry|loops|poison|printable|processors|storage)|io/(file_reader|"
                     r"stored_type|zip)")
EXEMPT = re.compile(r"Node::(\w*Function|Hook|type|versions|release|add_hook|remove_hook|call_hooks|add_to_grad|next_number|gradient|"
                    r"set_\w+)|PoolListener.*|Random::handle|variable_type")
# Members that are written as operators and loops, or that a page can't tell from others.
ORDINARY = {"begin", "end", "value_type", "device_type", "operator", "delete", "default", "const", "bool", "forward",
            "Device", "Features"}
KEYWORDS = {"if", "for", "while", "return", "requires", "static_assert", "decltype", "noexcept"}
DECLARED = re.compile(r"^(?:class|struct|enum class|concept|using|inline constexpr [\w:<>, ]+?|constexpr [\w:<>, ]+?)"
                      r" (?:\[\[\w+\]\] )?(\w+)(?= \{| :| final|;| =|\{|\[|$)")
FUNCTION = re.compile(r"^[\w\[][^=#]*?[ *&>](\w+)\(")
MEMBER = re.compile(r"^  (?! |//|using \w+::|static_assert|friend |template|requires|#|[~}])"
                    r"(?:using (\w+) =|[^(=;{]*?\b(\w+)\(|.*[>&*\w\]] \*?(\w+)(?: = [^;]*|\{[^;]*\})?;)")


def declarations(header):
    """(namespace, type or nothing, name, whether there is a comment above) of a header laid out by clang-format."""
    spaces, inside, public, told = [], "", True, False
    for line in re.sub(r"(?<=;) +//.*", "", header.read_text()).splitlines():
        if opened := re.match(r"namespace ?([\w:]*) \{$", line):
            spaces.append(opened[1] or "detail")
        elif re.match(r"\}  // namespace", line):
            spaces.pop()
        elif "detail" in "::".join(spaces):
            continue
        elif re.match(r"\};?$", line):
            inside = ""
        elif inside:
            space = "::".join(spaces).removeprefix("sfumato").removeprefix("::")
            if access := re.match(r" (public|private|protected):", line):
                public = access[1] == "public"
            elif public and (found := MEMBER.match(line)):
                member = found[1] or found[2] or found[3]
                if member not in KEYWORDS | ORDINARY | {inside} and not member.endswith("_"):
                    yield space, inside, member, True
            continue
        elif found := DECLARED.match(line) or (not line.startswith(("template", "extern", "#", "//", "using namespace"))
                                               and FUNCTION.match(line)):
            space = "::".join(spaces).removeprefix("sfumato").removeprefix("::")
            if found[1] not in KEYWORDS | ORDINARY:
                yield space, "", found[1], told
            if re.match(r"(class|struct) [^;]*$", line) and not line.endswith("};"):
                inside, public = found[1], line.startswith("struct")
        told = line.startswith("///") or told and bool(re.match(r"template|requires| +(class|requires)|///", line))


compiled = re.search(r"foreach\(page ([^$]*)\$", (SOURCE / "tests/slow_tests.cmake").read_text())[1].split()
pages = [SOURCE / page for page in compiled] + sorted((SOURCE / "docs/reference").glob("*.md"))
code = "\n".join(re.sub(r"//.*", "", block) for page in pages
                 for block in re.findall(r"^```cpp\n([\s\S]*?)^```", page.read_text(), re.M))
code += "\n".join(line for line in (SOURCE / "docs/pytorch.md").read_text().splitlines() if line.startswith("| `"))
words, members = set(re.findall(r"\w+", code)), set(re.findall(r"(?:\.|::|->)(\w+)", code))

problems, seen, silent, fields = [], {}, {}, {}
for header in sorted(INCLUDE.rglob("*.hpp")):
    where = str(header.relative_to(INCLUDE))
    if INSIDES.match(where):
        continue
    for space, inside, name, told in declarations(header):
        full = "::".join(part for part in (space, inside, name) if part)
        if EXEMPT.fullmatch(full):
            continue
        silent[full] = silent.get(full, True) and not told
        if inside:
            fields.setdefault("::".join(part for part in (space, inside) if part), []).append(name)
        shown = name in members if inside or space == "ops" else name in words
        if space and not inside:
            shown = shown and space == "ops" or re.search(rf"\b{space}::{name}\b", code)
        seen[full] = (where, bool(seen.get(full, ("", False))[1] or shown))
for full, (where, shown) in seen.items():
    if not shown and not (full in fields and members.issuperset(fields[full])):
        problems.append(f"{where}: no page has an example of {full}")
problems += [f"{name}: no comment says what it is" for name, nothing in silent.items() if nothing]
if "--list" in sys.argv:
    print("\n".join(seen))
print("\n".join(problems) or f"{len(seen)} public names: each has an example and a comment")
sys.exit(bool(problems))
