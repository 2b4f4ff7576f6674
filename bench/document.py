"""Blocks of a Markdown page that are written by a program; everything around them is left as it is."""

import re
from collections.abc import Mapping


def with_blocks(page: str, blocks: Mapping[str, str]) -> str:
    """The page with these blocks renewed. Raises `ValueError` for one that the page has no place for."""
    for name, text in blocks.items():
        begin, end = f"<!-- bench:{name} -->", f"<!-- /bench:{name} -->"
        pattern = re.compile(re.escape(begin) + r".*?" + re.escape(end), re.DOTALL)
        whole = f"{begin}\n{text}\n{end}"
        places = list(pattern.finditer(page))
        if len(places) != 1:
            raise ValueError(f"the page has {len(places)} places for {name!r}; expected one")
        page = page[: places[0].start()] + whole + page[places[0].end() :]
    return page
