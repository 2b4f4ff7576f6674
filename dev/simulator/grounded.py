"""Prompts that an app writes around a question: with the sources that a search has found, or asking for a search query. Pure.

The simulated model reads them by their form: whoever wants to write other prompts gets its usual answers.
"""

import re
from dataclasses import dataclass

_SOURCES = re.compile(r"^Sources, each after a line that begins with (?P<mark>\S+):\n\n")
_END = " End of the sources. Question:\n\n"
_QUERY_WANTED = "\n\nSearch query for the last question:"
_WORD = re.compile(r"\w{3,}")
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z`*])|\n\n+|\n(?=[-|] )")
_MARKUP = re.compile(r"\*\*|^- |\[([^\]]*)\]\([^)]*\)")
CLOSING = "I am a simulated model: I only repeat what the search has found."
MAX_QUOTED = 3
MAX_SENTENCE_CHARACTERS = 400


@dataclass(frozen=True, slots=True)
class Grounded:
    """A question with its passages, as (title, text)."""

    question: str
    passages: tuple[tuple[str, str], ...]


def grounded(prompt: str) -> Grounded | None:
    """Return the question and the passages of a prompt that has some."""
    found = _SOURCES.match(prompt)
    if found is None:
        return None
    mark = found["mark"]
    listed, _, question = prompt[found.end() :].partition(mark + _END)
    passages = []
    for block in listed.split(f"{mark} [")[1:]:
        head, _, text = block.partition("\n")
        passages.append((head.partition("] ")[2], text.strip()))
    return Grounded(question, tuple(passages))


def question_of(prompt: str) -> str:
    """Return what the user has asked, without what an app has put around it."""
    found = grounded(prompt)
    return prompt if found is None else found.question


def wanted_query(prompt: str) -> str | None:
    """Return the search query for a conversation; None where none is asked for."""
    if not prompt.endswith(_QUERY_WANTED):
        return None
    *before, question = prompt.removesuffix(_QUERY_WANTED).split("\n\nUser: ")
    asked = [one.removeprefix("User: ").partition("\n\nAssistant: ")[0] for one in before]
    return " ".join(" ".join([*asked[-1:], question]).split())


def quote(found: Grounded) -> str:
    """Return an answer that repeats the sentences of the passages that are closest to the question, with their marks."""
    words = set(_WORD.findall(found.question.lower()))
    quoted = []
    for number, (_, text) in enumerate(found.passages[:MAX_QUOTED], start=1):
        plain = [" ".join(_MARKUP.sub(r"\1", one).split()) for one in _SENTENCE.split(text)]
        sentences = [one for one in plain if one and "```" not in one and not one.startswith("|")]
        best = max(sentences, key=lambda one: len(words & set(_WORD.findall(one.lower()))), default="")
        if best:
            quoted.append(f"{best[:MAX_SENTENCE_CHARACTERS].rstrip('.:| ')} [{number}].")
    return "\n\n".join([*quoted, CLOSING])
