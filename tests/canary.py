"""A student who is nobody else, planted with what makes trouble, and a search that would find them anywhere.

Their name, number, birthday and the store's own id are looked for in bytes as they are, in any case, in UTF-16, as JSON,
HTML and URLs write them, without accents, and as American, European and spoken dates; inside SQLite files, gzip, zip,
PDF streams, Parquet and the parts of a mail.
"""

import csv
import gzip
import html
import io
import json
import re
import sqlite3
import unicodedata
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import date
from email import message_from_bytes
from pathlib import Path
from urllib.parse import quote, quote_plus


@dataclass(frozen=True)
class Canary:
    """A student of whom there is one."""

    first: str = "Zoëquill"
    last: str = "Vexborówgh"
    number: str = "QX-7741-ZZ"
    born: date = date(1997, 11, 23)

    @property
    def name(self) -> str:
        """As an office writes it."""
        return f"{self.first} {self.last}"

    def plant(self, records: Path) -> None:
        """Add the student to a district, as one who is often absent; some of their rows are refused and tell all of them."""
        lines = {file.stem: rows_of(file) for file in records.glob("*.csv")}
        year, model = worst_attender(lines["attendance"], lines["enrollments"])
        for name, rows in lines.items():
            mine = [{**row, "district_id": self.number} for row in rows if row.get("district_id") == model]
            if name == "students":
                told = {"first_name": self.first, "last_name": self.last, "date_of_birth": str(self.born)}
                mine = [{**mine[0], **told, "parent_contact": f"{self.name}'s mother, {self.born:%m/%d/%Y}"}]
            if name == "discipline":
                mine += [{**row, "district_id": self.number} for row in rows if in_autumn(row, year)][:3]
                mine = [{**row, "incident_id": f"{row['incident_id']}-{self.number}"} for row in mine]
                mine = [{**row, "description": f"{self.name} (born {self.born})"} for row in mine]
            if name in TROUBLE:
                bad = [row for row in mine if in_autumn(row, year)][:3]
                mine += [{**row, TROUBLE[name]: f"{self.name} {self.born}", **again(row)} for row in bad]
            write_rows(records / f"{name}.csv", rows + mine)

    def needles(self, student_id: str = "") -> dict[str, bytes]:
        """What is searched for: how it is written → lower-case bytes."""
        born = self.born
        words = [self.first, self.last, self.number, student_id, student_id.replace("-", "")]
        days = [
            f"{born:%Y-%m-%d}",
            f"{born:%m/%d/%Y}",
            f"{born.month}/{born.day}/{born.year}",
            f"{born:%d.%m.%Y}",
        ]
        days += [
            f"{born:%Y%m%d}",
            f"{born:%Y/%m/%d}",
            f"{born:%B} {born.day}, {born.year}",
            f"{born:%b} {born.day}, {born.year}",
        ]
        days += [f"{born.day} {born:%B} {born.year}", f"{born.day} {born:%b} {born.year}", f"{born:%m-%d-%Y}"]
        ways = {}
        for word in filter(None, words + days):
            ways |= {f"{word} {how}": told for how, told in written(word).items()}
        return ways


def rows_of(file: Path) -> list[dict]:
    """The rows of a CSV file."""
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def write_rows(file: Path, rows: list[dict]) -> None:
    """A CSV file of rows."""
    with file.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def again(row: dict) -> dict:
    """What makes a copy of a row another record."""
    return {"incident_id": f"{row['incident_id']}-b"} if "incident_id" in row else {}


TROUBLE = {"attendance": "status", "grades": "grade_value", "discipline": "severity_level"}  # file → column


def in_autumn(row: dict, year: str) -> bool:
    """Whether a record is of the autumn in which a school year begins."""
    day = row.get("date") or row.get("submission_date") or row.get("incident_date") or ""
    return f"{year}-09" <= day < f"{year}-12"


def worst_attender(attendance: list[dict], enrollments: list[dict]) -> tuple[str, str]:
    """The last school year, and who was most often absent in it of those who never left."""
    year = max(row["school_year"] for row in enrollments)
    there = {row["district_id"] for row in enrollments if row["school_year"] == year and not row["exit_date"]}
    absent = Counter(
        row["district_id"] for row in attendance if row["status"] == "absent" and row["date"] >= f"{year}-08"
    )
    return year, next(who for who, _ in absent.most_common() if who in there)


def written(word: str) -> dict[str, bytes]:
    """A word as one and another program writes it, in lower case."""
    plain = "".join(each for each in unicodedata.normalize("NFKD", word) if not unicodedata.combining(each))
    ways = {
        "as it is": word.encode(),
        "decomposed": unicodedata.normalize("NFD", word).encode(),
        "without accents": plain.encode(),
        "in Latin-1": word.encode("latin-1"),
        "in UTF-16": word.encode("utf-16-le"),
        "in JSON": json.dumps(word)[1:-1].encode(),
        "in Python": ascii(word)[1:-1].encode(),
        "in HTML": html.escape(word).encode("ascii", "xmlcharrefreplace"),
        "in a URL": quote(word, safe="").encode(),
        "in a form": quote_plus(word).encode(),
        "twice in JSON": json.dumps(json.dumps(word))[3:-3].encode(),
    }
    return {how: lower(told) for how, told in ways.items()}


def lower(content: bytes) -> bytes:
    """Bytes in lower case, beyond ASCII where they are UTF-8."""
    try:
        return content.decode("utf-8").lower().encode()
    except UnicodeDecodeError:
        return content.lower()


# --- where it is searched ------------------------------------------------------------------------------------------------


def opened(content: bytes, name: str = "") -> Iterator[bytes]:
    """Bytes, and all that is packed into them."""
    yield content
    if content[:2] == b"\x1f\x8b":
        yield from opened(gzip.decompress(content))
    if content[:4] == b"PK\x03\x04":
        with suppress(zipfile.BadZipFile), zipfile.ZipFile(io.BytesIO(content)) as box:
            for each in box.namelist():
                yield each.encode()
                yield from opened(box.read(each), each)
    if content[:5] == b"%PDF-":
        for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", content, re.DOTALL):
            with suppress(zlib.error):
                yield zlib.decompressobj().decompress(
                    stream
                )  # though its last byte were taken for a line's end
    if content[:4] == b"PAR1":
        import pyarrow.parquet as pq

        yield repr(pq.read_table(io.BytesIO(content)).to_pydict()).encode()


def rows_in(file: Path) -> Iterator[bytes]:
    """Every row of an SQLite file, packed values too."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as db:
        for (table,) in db.execute("select name from sqlite_master where type = 'table'").fetchall():
            for row in db.execute(f'select * from "{table}"'):
                yield repr(row).encode()
                for value in row:
                    if isinstance(value, bytes | str):
                        yield from opened(value if isinstance(value, bytes) else value.encode())


def parts_of(message: bytes) -> Iterator[bytes]:
    """A mail as it travelled, its headers as they are read, and each part as it was before it was packed."""
    from email.header import decode_header, make_header

    yield message
    read = message_from_bytes(message)
    yield "\n".join(f"{name}: {make_header(decode_header(value))}" for name, value in read.items()).encode()
    for part in read.walk():
        yield from opened(part.get_payload(decode=True) or b"")


def contents(file: Path) -> Iterator[bytes]:
    """What is in a file."""
    content = file.read_bytes()
    yield from opened(content, file.name)
    if content[:16] == b"SQLite format 3\x00":
        yield from rows_in(file)


def hits(places: dict[str, Iterator[bytes]], needles: dict[str, bytes]) -> list[str]:
    """Where which writing was found."""
    found = []
    for place, parts in places.items():
        for content in parts:
            small = lower(content)
            both = small if small == content.lower() else small + b"\n" + content.lower()
            found += [f"{place}: {how}" for how, needle in needles.items() if needle in both]
    return sorted(set(found))
