"""Only an address that a page can link to as it is passes."""

from shared.web_links import web_link
from tests.harness.cells import cells


@cells("url", ["https://example.com/a?b=c#d", "http://localhost:8080/", "https://[::1]/x", "https://x/a%20b"])
def test_an_address_of_the_web_passes_as_it_is(url: str) -> None:
    assert web_link(url) == url


@cells(
    "text",
    [
        "javascript:alert(1)", "JaVaScRiPt:alert(1)", " https://x", "java\nscript:alert(1)", "data:text/html,x", "file:///etc/passwd",
        "//x/a", "/a", "https:", "https://", "https://user:pw@x/", "https://[::1", 'https://x/"onload=', "https://x/<b>",
        "https://x/\u0000", "https://x/" + "a" * 3000, "", None, 5, ["https://x"],
    ],
)  # fmt: skip
def test_nothing_else_is_a_link(text: object) -> None:
    assert web_link(text) == ""
