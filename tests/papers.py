"""Reads a PDF's text as a reader of PDFs does: through the table by which each font says which letters its shapes are."""

import re
import zlib


def objects(content: bytes) -> dict[int, bytes]:
    "Every object of a file by its number; those that are packed together, and streams, unpacked."
    found = {}
    for number, body in re.findall(rb"(?<!\d)(\d+) 0 obj\s(.*?)\sendobj", content, re.S):
        head, stream, data = body.partition(b"stream\n")
        if stream and b"/FlateDecode" in head:
            data = zlib.decompressobj().decompress(data)
        found[int(number)] = head + data
        if b"/ObjStm" in head:
            first = int(re.search(rb"/First (\d+)", head).group(1))
            places = [*map(int, data[:first].split())]
            inside = [*zip(places[::2], places[1::2], strict=True)]
            ends = [place for _, place in inside[1:]] + [len(data)]
            found |= {
                key: data[first + place : first + end] for (key, place), end in zip(inside, ends, strict=True)
            }
    return found


def letters(table: bytes) -> dict[str, str]:
    "Shape → letters, of one font."
    pairs = re.findall(rb"<([0-9a-f]{4})> <([0-9a-f]+)>\n", table.partition(b"beginbfchar")[2])
    return {shape.decode(): bytes.fromhex(text.decode()).decode("utf-16-be") for shape, text in pairs}


def text_of(content: bytes) -> str:
    "What a PDF says, in the order in which it is drawn."
    there = objects(content)
    everything = b"\n".join(there.values())
    fonts = {}
    for name, number in re.findall(rb"/([A-Z]{6}) (\d+) 0 R", everything):
        table = re.search(rb"/ToUnicode (\d+) 0 R", there[int(number)])
        if table:
            fonts[name] = letters(there[int(table.group(1))])
    said, font = [], {}
    for name, shapes in re.findall(
        rb"/([A-Z]{6}) [\d.]+ Tf|\[([^\]]*)\] ?TJ", b"\n".join(there[key] for key in sorted(there))
    ):
        font = fonts.get(name, font) if name else font
        runs = re.findall(r"<([0-9a-f]+)>", shapes.decode("latin-1"))
        said.append(
            "".join(font.get(run[at : at + 4], "") for run in runs for at in range(0, len(run), 4))
            if shapes
            else ""
        )
    return " ".join(filter(None, said))


def language_of(content: bytes) -> str:
    "In which language a PDF says that it is."
    return re.search(rb"/Lang \(([^)]*)\)", b"\n".join(objects(content).values()))[1].decode()
