"""The page's files as served: paths, types, caching, headers."""

import gzip
import re

import pytest

from shared.page.files import ROOT, SECURITY_HEADERS, PageResponse, page_response, version


def get(path: str, *, if_none_match: str = "", accept_encoding: str = "") -> PageResponse:
    answer = page_response(path, if_none_match=if_none_match, accept_encoding=accept_encoding)
    assert answer is not None
    return answer


def test_the_page_refers_to_versioned_files_and_every_one_of_them_is_there() -> None:
    html = get("/").body.decode()
    addresses = set(re.findall(r'(?:src|href)="([^"#]+)', html))
    assert len(addresses) > 15
    for address in addresses:
        assert address.startswith(f"page/{version()}/"), "relative, so that a path prefix works"
        assert get(f"/{address}").headers["cache-control"] == "public, max-age=31536000, immutable"


def test_every_module_that_is_imported_is_served_and_preloaded() -> None:
    html = get("/").body.decode()
    for module in ROOT.glob("*.js"):
        for name in re.findall(r'^(?:import|\} from|.* from) "\./([^"]+)";', module.read_text(), re.MULTILINE):
            assert get(f"/page/{name}").headers["content-type"] == "text/javascript; charset=utf-8"
            assert f'/{name}"' in html, f"{name} is not preloaded"


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/page/app.js", "text/javascript; charset=utf-8"),
        ("/page/page.css", "text/css; charset=utf-8"),
        ("/page/icons.svg", "image/svg+xml"),
        ("/page/vendor/purify.min.js", "text/javascript; charset=utf-8"),
    ],
)
def test_every_file_has_its_type_the_security_headers_and_a_check_before_reuse(path: str, media_type: str) -> None:
    headers = get(path).headers
    assert headers["content-type"] == media_type
    assert headers["cache-control"] == "no-cache"
    assert headers.items() >= SECURITY_HEADERS.items()


NOTHING = """
/page /page/ /page/index.html /index.html /page/nothing.js /page/../page_files.py /page/%2e%2e/x /page//app.js /pagexapp.js
/page/vendor/README.md /page/vendor/marked.LICENSE.txt /page/vendor/marked.esm.d.ts /page/tsconfig.json /page/package.json
/page/0123456789abcdef/app.js
"""


@pytest.mark.parametrize("path", ["", *NOTHING.split()])
def test_nothing_else_is_served(path: str) -> None:
    assert page_response(path) is None
    assert page_response(path.replace("/page/", f"/page/{version()}/")) is None


def test_a_browser_that_has_the_file_gets_not_modified() -> None:
    etag = get("/page/app.js").headers["etag"]
    for tags in (etag, f'"other", {etag}', f"W/{etag}", "*"):
        answer = get("/page/app.js", if_none_match=tags)
        assert (answer.status, answer.body) == (304, b"")
        assert answer.headers["etag"] == etag
    assert get("/page/app.js", if_none_match='"other"').status == 200


def test_a_browser_that_accepts_gzip_gets_it_with_its_own_etag() -> None:
    plain = get("/page/app.js")
    for accepted in ("gzip", "gzip, deflate, br", "br;q=1.0, gzip;q=0.8"):
        packed = get("/page/app.js", accept_encoding=accepted)
        assert packed.headers["content-encoding"] == "gzip"
        assert gzip.decompress(packed.body) == plain.body
        assert packed.headers["etag"] != plain.headers["etag"]
        assert "accept-encoding" in packed.headers["vary"]
    for refused in ("", "identity", "br", "gzip;q=0"):
        assert "content-encoding" not in get("/page/app.js", accept_encoding=refused).headers


def test_the_policy_allows_nothing_inline_nothing_foreign_and_no_evaluation() -> None:
    policy = dict(part.split(" ", 1) for part in SECURITY_HEADERS["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"
    assert {policy[name] for name in ("script-src", "style-src", "img-src", "connect-src")} == {"'self'"}
    assert policy["require-trusted-types-for"] == "'script'"
    assert "unsafe" not in SECURITY_HEADERS["content-security-policy"]


def test_there_is_nothing_inline_in_the_page_and_no_address_beyond_it() -> None:
    html = (ROOT / "index.html").read_text()
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", html)
    for path in [*ROOT.glob("*.js"), *ROOT.glob("*.css"), ROOT / "index.html"]:
        text = path.read_text()
        code = re.sub(r"/\*.*?\*/|//.*", "", text, flags=re.DOTALL) if path.suffix != ".html" else text
        assert "http://" not in code.replace("http://www.w3.org/2000/svg", ""), path
        assert "innerHTML" not in code, path
