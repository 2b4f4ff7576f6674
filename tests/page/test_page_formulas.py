"""Mathematics on the page: which texts become formulas, while they stream too, and what a hostile one may do."""

import json

import pytest

from tests.page.chat_page import PHONE, ChatPage, delta, events, finished
from tests.page.conftest import OpenPage

pytestmark = pytest.mark.browser

TEXT = (
    r"Let \(a_1 * b\) and $x^2$ hold, *so \(c*d\) too*; it costs $5 and $6, or **$7**." + "\n\n"
    "\\[\n\\sum_{i=0}^{n} i = \\frac{n(n+1)}{2}\n\n+ 0\n\\]\n\n"
    "- In a list: $$\\sqrt{y}$$\n- Then\n  \\[\n  \\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}\n  \\]\n\n"
    "| a | b |\n|---|---|\n| $p_i$ | $5 |\n| x | $6 |\n\n"
    "`\\(code\\)` and\n\n```tex\n\\[ fenced \\]\n$$ x $$\n```\n\nUnfinished \\(a + b.\n"
)
DEEP = "x^{" * 800 + "}" * 800
HOSTILE = [
    r"\href{javascript:window.ran=1}{x}",
    r"\includegraphics{EVIL/x.png}",
    r"\url{https://example.com}",
    r"\class{visually-hidden}{x}",
    r"\style{position:fixed;inset:0}{x}",
    r"\id{question}{x}",
    r"\data{x=1}{x}",
    r"\text{<img src=x onerror=window.ran=2>}",
    r"</span><script>window.ran=3</script>",
    r"\unicode{x3c}script\unicode{x3e}",
    r"\def\a{\a\a}\a",
    "x^{" * 20 + "}" * 20,
    DEEP,
    r"\rule{10000em}{10000em}",
    r"\hspace{-500em}\raisebox{500em}{x}\kern{-9000em}",
    r"\llap{over}\tag{1} x",
    r"\begin{CD} A @>a>> B \\ @VVV @| \\ C @= D \end{CD}",
    r"\boxed{\cancel{x}} \colorbox{red}{y} \mathcolor{blue}{z}",
]
SELECT_ANSWER = """() => {
  document.activeElement.blur();
  getSelection().selectAllChildren([...document.querySelectorAll(".text")].at(-1));
}"""
REMOVE_DEEP = """(all) => {
  const deep = all.filter((at) => at.querySelectorAll("*").length > 800);
  for (const at of deep) at.remove();
  return deep.length;
}"""
MATHML = "http://www.w3.org/1998/Math/MathML"


def answer(page: ChatPage, text: str, question: str = "formulas") -> None:
    page.answer_with(events(delta(text), finished()))
    page.ask_and_wait(question)


def test_formulas_are_shown_as_mathematics_and_money_and_code_as_they_are(open_page: OpenPage) -> None:
    page = open_page()
    assert not [url for url in page.requested if "temml" in url], "fetched only once there is a formula"
    answer(page, "No formula: $5 and $6, `\\(x\\)`.")
    assert not [url for url in page.requested if "temml" in url]
    answer(page, TEXT)
    page.answer.locator(".math.shown").nth(6).wait_for()
    shown = page.answer.locator(".text")
    sources = shown.locator(".math").evaluate_all("(all) => all.map((at) => at.dataset.source.replace(/\\s+/g, ' '))")
    assert sources == [
        r"\(a_1 * b\)",
        "$x^2$",
        r"\(c*d\)",
        r"\[ \sum_{i=0}^{n} i = \frac{n(n+1)}{2} + 0 \]",
        r"$$\sqrt{y}$$",
        r"\[ \begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix} \]",
        "$p_i$",
    ]
    assert shown.locator("em").count() == 1
    assert shown.locator("em math").count() == 1
    assert shown.locator("math mfrac").count() == 1
    assert shown.locator("li math mtable").count() == 1
    assert shown.locator("math").first.evaluate("(math) => math.namespaceURI") == MATHML
    assert "it costs $5 and $6, or $7." in page.text
    assert "Unfinished (a + b." in page.text, "as Markdown has it, which is what was shown"
    assert shown.locator("p > code").inner_text() == r"\(code\)"
    assert shown.locator("pre").inner_text() == "\\[ fenced \\]\n$$ x $$"
    assert len([url for url in page.requested if "temml" in url]) == 1
    assert shown.locator("math").first.evaluate("(math) => math.getBoundingClientRect().height") > 10


def test_a_streamed_formula_appears_when_it_is_finished_and_never_as_its_source(open_page: OpenPage) -> None:
    page = open_page(reduced_motion="no-preference")
    answer(page, "$x$")  # the library is there
    page.answer.locator("math").wait_for()
    page.page.unroute("**/chat")
    page.page.evaluate("""() => {
      window.seen = [];
      new MutationObserver(() => {
        const text = [...document.querySelectorAll(".text")].at(-1);
        const copy = text.cloneNode(true);
        for (const shown of copy.querySelectorAll("math, code")) shown.remove();
        window.seen.push(copy.textContent);
      }).observe(document.getElementById("conversation"), { childList: true, subtree: true });
    }""")
    text = TEXT.replace("Unfinished \\(a + b.\n", "End.")
    steps = {"tokens": [text[start : start + 2] for start in range(0, len(text), 2)], "interval": 0.008}
    page.ask_and_wait(f"hi [[sim {json.dumps(steps)}]]")
    seen: list[str] = page.page.evaluate("window.seen")
    assert len(seen) > 5, "while it was being written"
    for part in seen:
        assert not any(piece in part for piece in ("\\", "$$", "$x", "$p", "{", "^", "frac")), part
    streamed = page.page.locator(".text").last.inner_html()
    answer(page, text)
    assert page.page.locator(".text").last.inner_html() == streamed


def test_without_the_library_the_source_is_shown(open_page: OpenPage) -> None:
    page = open_page()
    page.page.route("**/temml.js", lambda route: route.abort())
    answer(page, "It is \\(a^2\\).\n\n$$b^2$$\n")
    assert page.text == "It is \\(a^2\\).\n\n$$b^2$$"
    page.problems.clear()


def test_a_hostile_formula_has_no_effect_beyond_its_place(open_page: OpenPage) -> None:
    page = open_page(viewport=PHONE)
    answer(page, "\n\n".join(f"Text {n} \\({tex}\\) and\n\n\\[{tex}\\]" for n, tex in enumerate(HOSTILE)))
    page.answer.locator(".math.shown").first.wait_for()
    page.page.wait_for_timeout(300)
    text = page.answer.locator(".text")
    assert page.page.evaluate("window.ran") is None
    assert [url for url in page.requested if not url.startswith(page.url)] == []
    assert (
        text.locator(".math :is(a, img, script, svg, style, form, input, iframe, object, maction, semantics)").count()
        == 0
    )
    names = text.locator(".math *").evaluate_all(
        "(all) => [...new Set(all.flatMap((element) => element.getAttributeNames()))].sort()"
    )
    assert not {name for name in names if name.startswith(("on", "href", "src", "id", "xlink", "data"))}
    styles = text.locator(".math [style]").evaluate_all("(all) => [...new Set(all.flatMap((at) => [...at.style]))]")
    assert styles
    assert not {"position", "inset", "top", "left", "z-index", "background-image", "transform"} & set(styles)
    assert page.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    # What is drawn outside of a formula's place is cut off there.
    assert set(text.locator(".math.shown").evaluate_all("(all) => all.map((at) => getComputedStyle(at).contain)")) == {
        "paint"
    }
    assert r"\href{javascript:window.ran=1}{x}" in text.inner_text(), "the source, where a command is off"
    # axe takes a time that grows with the square of the depth; the formula that is as deep as twenty stays.
    assert text.locator(".math").evaluate_all(REMOVE_DEEP) == 2
    assert page.violations() == []


def test_on_a_phone_a_wide_formula_scrolls_with_the_keyboard_too(open_page: OpenPage) -> None:
    page = open_page(viewport=PHONE)
    wide = " + ".join(f"x_{{{n}}}" for n in range(40))
    answer(page, f"A short $a$ and a long ${wide}$.\n\n$$\\left({wide}\\right)^2$$\n\nمرحبا $x^2$ بالعالم.\n")
    formulas = page.answer.locator(".math.shown")
    page.answer.locator(".math.wide").nth(1).wait_for()
    assert [formula.get_attribute("tabindex") for formula in formulas.all()] == [None, "0", "0", None]
    assert page.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    formulas.nth(2).focus()
    page.page.keyboard.press("ArrowRight")
    page.page.wait_for_function("() => document.querySelectorAll('.math.wide')[1].scrollLeft > 0")
    assert formulas.last.evaluate("(at) => getComputedStyle(at).direction") == "ltr"
    assert page.violations() == []
    page.shot("formulas-mobile")


def test_a_copied_formula_is_its_source(page: ChatPage) -> None:
    answer(page, "First \\(a^2\\).\n\n$$b$$\n\nLast.")
    page.answer.locator(".math.shown").nth(1).wait_for()
    page.page.evaluate(SELECT_ANSWER)
    page.page.keyboard.press("Control+c")
    page.question.focus()
    page.question.press("Control+v")
    assert page.question.input_value() == "First \\(a^2\\).\n\n$$b$$\n\nLast."
