"Every word of a page comes from a catalogue; both languages say the same; nothing is said that harms a student."

import ast
import gc
import re
import string
from functools import cache
from pathlib import Path

import pytest
import yaml

from edupulse.tongue import LANGUAGES, catalogue

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(
    file  # those that draw or say something; the rest speaks to whoever starts the server, in a terminal
    for file in (ROOT / "edupulse" / "dashboard").glob("*.py")
    if re.search(
        r"^from (edupulse|\.)\.faces\.(look|language) import", file.read_text(encoding="utf-8"), re.M
    )
)
FORBIDDEN = {
    "en": r"\b(dropouts?|drop-outs?|drops? out|risks?|risky|models?|scores?|scored|algorithms?|predict\w*|AI)\b",
    "es": r"\b(riesgos?|abandon\w*|deserci\w+|modelos?|puntuaci\w+|puntajes?|algoritmos?|predic\w*|IA)\b",
}
ENGLISH_LEFT = r"\b(the|and|of|with|this|that|for|from|who|not|are|is|was|has|have|students?|weeks?|school)\b"
SAME = {"EduPulse", "GPA", "PDF", "CSV", "English", "Español", "No", "Plan", "Plan: {kind}", "Error", "Total"}


def texts(lang: str) -> dict[str, str]:
    "Every text of a language's files by where it stands; plural forms one by one."
    said = {}
    for path, entry in catalogue(lang).items():
        for form, text in (entry if isinstance(entry, dict) else {"": entry}).items():
            said[f"{path}.{form}".rstrip(".")] = text
    file = ROOT / "reports" / "words" / f"advice.{lang}.yaml"
    if file.exists():
        for part, entries in yaml.safe_load(file.read_text(encoding="utf-8")).items():
            named = entries.items() if isinstance(entries, dict) else enumerate(entries)
            said |= {f"{part}.{name}": str(text) for name, text in named}
    return said


def placeholders(text: str) -> set[str]:
    "What a sentence asks to be told."
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_have_the_same_sentences():
    english, spanish = catalogue("en"), catalogue("es")
    assert english.keys() == spanish.keys(), sorted(english.keys() ^ spanish.keys())
    for key, entry in english.items():
        other = spanish[key]
        assert isinstance(entry, dict) == isinstance(other, dict), f"{key} counts in one language only"
        forms = (entry, other) if isinstance(entry, dict) else ({"": entry}, {"": other})
        assert forms[0].keys() == forms[1].keys(), f"{key} has other plural forms in Spanish"
        asked = [set().union(*map(placeholders, each.values())) for each in forms]
        assert asked[0] == asked[1], f"{key} names other values in Spanish"


class Strict(yaml.SafeLoader):
    "Reads a file whose keys stand once: of two alike, YAML keeps the last without a word."


def once(loader, node):
    "A mapping, each key of which stands once."
    names = [loader.construct_object(key) for key, _ in node.value]
    assert len(names) == len(set(names)), sorted(name for name in names if names.count(name) > 1)
    return loader.construct_mapping(node, deep=True)


Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, once)


@pytest.mark.parametrize(
    "file", sorted((ROOT / "reports" / "words").glob("*.yaml")), ids=lambda file: file.name
)
def test_no_sentence_takes_another_s_place(file):
    yaml.load(file.read_text(encoding="utf-8"), Strict)


def test_two_sentences_of_one_name_are_noticed():
    with pytest.raises(AssertionError, match="hidden"):
        yaml.load("school: {hidden: a, hidden: b}", Strict)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_sentence_is_text(lang):
    for path, text in texts(lang).items():
        assert isinstance(text, str) and text.strip() == text and text, f"{path} is {text!r}"


def test_no_english_is_left_in_spanish():
    english = texts("en")
    for path, text in texts("es").items():
        bare = re.sub(r"\{[^}]*\}", "", text)
        assert not re.search(ENGLISH_LEFT, bare, re.I), f"{path}: {text}"
        if re.search(r"[A-Za-z]", bare):
            assert text != english.get(path) or text in SAME, f"{path} is English in both: {text}"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_word_that_a_student_should_not_read_over_a_shoulder(lang):
    for path, text in texts(lang).items():
        if path.startswith("work."):  # what a job said, on pages that no student's staff opens
            continue
        bare = re.sub(r"\{[^}]*\}|edupulse( [a-z]+)+", "", text)  # a command is for whoever runs it
        found = re.search(FORBIDDEN[lang], bare, re.I if not re.search(r"\b(AI|IA)\b", bare) else 0)
        assert not found, f"{path} says {found.group()!r}: {text}"


def literals(file: Path) -> list[str]:
    "Every text in a module's code that a person could be shown: no docstring, annotation, error or line of the log."
    tree = ast.parse(file.read_text(encoding="utf-8"))
    quiet = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            quiet.add(node.value)
        for part in [getattr(node, "annotation", None), getattr(node, "returns", None)]:
            quiet |= set(ast.walk(part)) if part is not None else set()
        quiet |= set(node.keys) if isinstance(node, ast.Dict) else set()  # names of headers and attributes
        names = [each.id for each in getattr(node, "targets", []) if isinstance(each, ast.Name)]
        logs = isinstance(node, ast.Call) and "logger" in ast.unparse(node.func)
        if isinstance(node, ast.Raise) or logs or "__all__" in names:
            quiet |= set(ast.walk(node))
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in quiet
    ]


def speaks(text: str) -> bool:
    "Whether a text is words for a person: two words beside each other, or one that begins like a sentence."
    if re.fullmatch(r"[A-Z][a-z]+", text):
        return True
    bare = re.sub(r"<[^>]*>|\{[^}]*\}", "", text)
    return bool(re.search(r"[A-Za-zÀ-ÿ]{3,},? [A-Za-zÀ-ÿ]{2,}", bare)) and not re.search(r"[;:/=#]|^\W", bare)


def test_a_sentence_is_known_from_a_name():
    assert all(map(speaks, ("Nothing was found", "Filter by grade", "Print", "of ten students, three left")))
    names = ("week.title", "aria-live", "data-do", "card columns", "text/csv", "M 0 0 L 10 10", "student_id")
    assert [name for name in names if speaks(name)] == ["card columns"]  # classes are named in CLASSES


@cache
def all_calls() -> dict[str, list[tuple[str, ast.Call]]]:
    "Every call in the package by the function's name, with the module that it stands in."
    found = {}
    for file in sorted((ROOT / "edupulse").rglob("*.py")):
        gc.disable()  # CPython 3.11 miscounts where what is collected in between parses too
        try:
            parsed = ast.parse(file.read_text("utf-8"))
        finally:
            gc.enable()
        for node in ast.walk(parsed):
            if isinstance(node, ast.Call):
                found.setdefault(ast.unparse(node.func), []).append((file.stem, node))
    return found


def calls(name: str) -> list[tuple[str, ast.Call]]:
    "Every call of a function in the package, with the module that it stands in."
    return all_calls().get(name, [])


def test_whatever_a_job_says_is_in_the_catalogue_and_all_of_that_is_said():
    said, english = [], catalogue("en")
    for module, call in calls("Said"):
        key = call.args[0]
        pattern = (
            "".join(re.escape(p.value) if isinstance(p, ast.Constant) else r"\w+" for p in key.values)
            if (isinstance(key, ast.JoinedStr))
            else re.escape(key.value)
            if isinstance(key, ast.Constant)
            else r"work\.lacks\.\w+"
        )
        found = [path for path in english if re.fullmatch(pattern, path)]
        assert found, f"{module} says {ast.unparse(key)}"
        said += found
        if None not in {each.arg for each in call.keywords}:
            given = {each.arg for each in call.keywords}
            for path in found:
                forms = english[path].values() if isinstance(english[path], dict) else [english[path]]
                wanted = set().union(*map(placeholders, forms))
                assert wanted <= given or "JoinedStr" in ast.dump(key), f"{path} wants {wanted - given}"
    kept = {path for path in english if path.startswith("work.")} - {"work.quote"}
    assert kept <= set(said), f"nobody says {sorted(kept - set(said))}"


@pytest.mark.parametrize("name", ["Refused", "Later", "Waits", "Done", "Outage"])
def test_no_job_says_what_has_no_key(name):
    for module, call in calls(name):
        words = call.args[0]
        text = isinstance(words, ast.JoinedStr) or (
            isinstance(words, ast.Constant) and isinstance(words.value, str)
        )
        own = module in (
            "acts",
            "entries",
            "drafts",
            "student_done",
        )  # of counselors' forms: their first word is a key
        assert own or not text, f"{module}: {name}({ast.unparse(words)})"


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.stem)
def test_no_sentence_stands_in_a_page_s_code(file):
    tree = ast.parse(file.read_text(encoding="utf-8"))
    classes = {
        word.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for word in node.keywords
        if word.arg in ("class_", "style", "points", "d", "samesite") and isinstance(word.value, ast.Constant)
    }
    found = [text for text in literals(file) if speaks(text) and text not in classes]
    assert not found, f"say these by a key of reports/words: {found}"


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.stem)
def test_every_key_that_a_page_asks_for_is_there(file):
    asked = [
        (node.args[0].value, {each.arg for each in node.keywords})
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant)
        if "speech" in ast.unparse(node.func).split(".")[-2:]
        and ast.unparse(node.func).split(".")[-1] in ("speech", "html")
    ]
    for key, given in asked:
        assert key in catalogue("en"), f"{key} is not in reports/words/en.yaml"
        entry = catalogue("en")[key]
        wanted = (
            set().union(*map(placeholders, entry.values()))
            if isinstance(entry, dict)
            else placeholders(entry)
        )
        assert None in given or wanted <= given, f"{key} wants {sorted(wanted - given)}"
        assert None in given or not isinstance(entry, dict) or "count" in given, f"{key} counts: count="
