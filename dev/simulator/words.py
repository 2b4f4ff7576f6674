"""The simulated model's texts: varied, and deterministic for a given prompt."""

import hashlib
import itertools
import random
import re
from collections.abc import Iterator

PIECE = re.compile(r"\s*(?:\w{1,7}|[^\w\s])|\s+")
GREETING = re.compile(r"^\W*(hi|hey|hello|good (morning|afternoon|evening)|moin|hallo)\b", re.IGNORECASE)
CODE = re.compile(r"\b(code|function|python|script|program|regex|sql|class)\b", re.IGNORECASE)
LIST = re.compile(r"\b(list|steps|how (do|to|can)|ideas|tips|ways|plan)\b", re.IGNORECASE)

GREETINGS = (
    "Hello! It is good to meet you. I am a simulated model: no cloud was bothered. What shall we talk about?",
    "Hi there! I am a simulated model on your own machine. Ask me anything, and I will answer with confidence.",
    "Good to see you! I am a simulated model: quick, free of charge, and easily satisfied. How can I help?",
)
OPENINGS = (
    "That is a good question, and worth a moment's thought.",
    "Let me think about that in the open.",
    "Happy to help with this one.",
    "There is a short answer and a long one; here is something in between.",
    "Gladly. Let us start with what matters most.",
)
THOUGHTS = (
    "Small steps, taken in the right order, usually beat one grand leap.",
    "The interesting part is rarely the first idea; it is what remains after the second look.",
    "Most of the work is naming things well, and the rest follows from the names.",
    "A stream of words has a rhythm of its own: each arrives when it is ready, not when all are.",
    "If you measure before you change anything, you will be surprised only once.",
    "It helps to ask what would have to be true for the opposite to hold.",
    "Weather, coffee and patience all improve with a little distance.",
    "Whatever can be cut off in the middle should make sense up to the cut.",
    "Une idée simple reste souvent la meilleure — naïve perhaps, but café-proven. 🌤️",
    "Simple tools age well: they have fewer places in which to rust.",
)
STEPS = (
    "**Look first.** Write down what you see, not what you expect.",
    "**Keep it small.** One change, one reason, one result.",
    "**Name the edge cases.** Empty, huge, late, twice, and never.",
    "**Let it flow.** Show the first word as soon as there is one.",
    "**Tidy up.** Whoever opens something also closes it.",
    "**Sleep on it.** The bug will still be there, but smaller.",
)
SNIPPETS = (
    "```python\nasync def tell(story):\n    async for word in story:\n        print(word, end='', flush=True)\n```",
    (
        "```python\ndef fibonacci(n: int) -> list[int]:\n    a, b, found = 0, 1, []\n"
        "    while len(found) < n:\n        found.append(a)\n        a, b = b, a + b\n    return found\n```"
    ),
    "```sql\nSELECT city, count(*) AS visitors\nFROM journeys\nGROUP BY city\nORDER BY visitors DESC;\n```",
)
CLOSINGS = (
    "All of this comes from a simulated model, so take it as practice rather than advice.",
    "I am only a simulated model, but I hope the rhythm was right.",
    "Ask again with other words and this simulated model will think of something else.",
)
REASONING = (
    "The user asks something, and I should answer kindly.\n\nFirst I look at what is wanted, then I choose "
    "a shape for the answer: a short opening, a few thoughts, and a close that says plainly that this is a simulation."
)


def dice(*parts: str) -> random.Random:
    """Return a random generator that depends only on `parts`, in every process."""
    return random.Random(hashlib.sha256("\0".join(parts).encode(errors="replace")).digest())


def answer(prompt: str) -> str:
    rng = dice(prompt)
    if not prompt.strip() or GREETING.search(prompt):
        return rng.choice(GREETINGS)
    parts = [rng.choice(OPENINGS), " ".join(rng.sample(THOUGHTS, rng.randint(2, 3)))]
    if LIST.search(prompt) or rng.random() < 0.25:
        steps = rng.sample(STEPS, rng.randint(3, 4))
        parts += ["## A few steps", "\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1))]
    if CODE.search(prompt) or rng.random() < 0.2:
        parts += ["A little code says it best:", rng.choice(SNIPPETS)]
    parts.append(f"{rng.choice(THOUGHTS)} {rng.choice(CLOSINGS)}")
    return "\n\n".join(parts)


def pieces(text: str) -> list[str]:
    """Split a text roughly like a tokenizer; the pieces, joined, are the text."""
    return PIECE.findall(text)


def some_pieces(prompt: str, count: int) -> list[str]:
    """Split a text into exactly `count` pieces."""
    return list(itertools.islice(_endless(prompt), count))


def _endless(prompt: str) -> Iterator[str]:
    yield from pieces(answer(prompt))
    rng = dice(prompt, "more")
    while True:
        yield from pieces(" " + rng.choice(THOUGHTS))
