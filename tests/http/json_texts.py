"""JSON texts for property tests, spelled in every way that RFC 8259 allows."""

from hypothesis import strategies as st

_TEXT = st.lists(
    st.sampled_from(
        ["a", "é", "\u2028", "\x7f", "\\ud800", "\\uDC00", "\\ud83d\\ude00", "\\\\", '\\"', "\\n", "\\u0000"]
    ),
    max_size=6,
).map(lambda pieces: '"' + "".join(pieces) + '"')
_NUMBER = st.from_regex(
    r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,4})?", fullmatch=True, alphabet="-+.eE0123456789"
)
SPACE = st.sampled_from(["", " ", "\n\t"])


def _containers(items: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    members = st.builds("{}{}:{}{}".format, _TEXT, SPACE, SPACE, items)
    return st.lists(items, max_size=3).map(lambda found: "[" + ",".join(found) + "]") | st.lists(
        members, max_size=3
    ).map(lambda found: "{" + " ,".join(found) + "}")


JSON = st.recursive(st.sampled_from(["true", "false", "null"]) | _NUMBER | _TEXT, _containers, max_leaves=8)
