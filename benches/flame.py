#!/usr/bin/env python3
"""A flame graph of a run, small enough to keep: only what took at least half a percent.

usage: perf record -F 499 --call-graph dwarf,16384 -o DATA PROGRAM ARGUMENTS...
       perf script -i DATA -F comm,ip,sym | benches/flame.py --title TITLE [--roots REGEX] > flame.svg

With --roots everything outside the first function that it matches is left out.
"""
import argparse
import re
import sys
from html import escape

LEAST = 0.005
WIDTH, ROW = 1200, 16
# What every thread begins with says nothing.
NOISE = re.compile(r"^(std::|core::|<core::|<alloc::|alloc::|<std::|__rust|clone3|start_thread|main$|_start|__libc|\[|0x|0{8})")


def stacks(lines):
    """Stacks from the outermost frame on, of functions of the program and of what they call last."""
    stack = []
    for line in lines:
        if not line.strip():
            if stack:
                yield stack[::-1]
            stack = []
            continue
        frame = re.match(r"\s+[0-9a-f]+ (.*)", line)
        if frame:
            stack.append(frame.group(1).replace(" (inlined)", ""))
    if stack:
        yield stack[::-1]


def short(name):
    name = re.sub(r"\{\{closure\}\}|::\{\{vtable.shim\}\}", "", name).replace("auscult::", "")
    name = re.sub(r"<([\w:]+) as [^>]*>", r"\1", name)
    return name.strip(":")


def tree(every, roots):
    root = {"n": 0, "kids": {}}
    for stack in every:
        named = [short(frame) for frame in stack if "auscult::" in frame]
        last = short(stack[-1])
        first = next((place for place, frame in enumerate(named) if roots and re.search(roots, frame)), None if roots else 0)
        named = named[first:] if first is not None and named else ["(elsewhere)"]
        if last != named[-1] and not NOISE.match(last):
            named.append(last)
        path = [frame for place, frame in enumerate(named) if place == 0 or frame != named[place - 1]]
        node = root
        node["n"] += 1
        for frame in path:
            node = node["kids"].setdefault(frame, {"n": 0, "kids": {}})
            node["n"] += 1
    return root


def draw(node, x, depth, whole, out):
    deepest = depth
    for name, kid in sorted(node["kids"].items()):
        share = kid["n"] / whole
        if share >= LEAST:
            width = WIDTH * share
            hue = 20 + sum(map(ord, name)) % 30
            text = escape(name if len(name) * 6 < width else name.split("::")[-1] if len(name.split("::")[-1]) * 6 < width else "")
            out.append(
                f'<g><title>{escape(name)} {100 * share:.1f} %</title><rect x="{x:.1f}" y="{depth * ROW + 24}" width="{width:.1f}" '
                f'height="{ROW - 1}" fill="hsl({hue},80%,70%)"/><text x="{x + 2:.1f}" y="{depth * ROW + 35}">{text}</text></g>'
            )
            deepest = max(deepest, draw(kid, x, depth + 1, whole, out))
        x += WIDTH * share
    return deepest


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--title", default="")
    arguments.add_argument("--roots")
    options = arguments.parse_args()
    root, title = tree(stacks(sys.stdin), options.roots), options.title
    if not root["n"]:
        sys.exit("flame: no stack on standard input: perf script -F comm,ip,sym writes them")
    out = []
    rows = draw(root, 0, 0, root["n"], out)
    height = (rows + 1) * ROW + 32
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="monospace" font-size="10">')
    print(f'<text x="4" y="14" font-size="13">{escape(title)} ({root["n"]} samples; point at a box for its share)</text>')
    print("\n".join(out) + "\n</svg>")


if __name__ == "__main__":
    main()
