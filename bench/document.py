"""Generated blocks of a Markdown page; the text around them is preserved."""

import re
from collections.abc import Mapping


def with_blocks(page: str, blocks: Mapping[str, str]) -> str:
    """Return the page with these blocks replaced. Raise `ValueError` for a block without exactly one place."""
    for name, text in blocks.items():
        begin, end = f"<!-- bench:{name} -->", f"<!-- /bench:{name} -->"
        pattern = re.compile(re.escape(begin) + r".*?" + re.escape(end), re.DOTALL)
        block = f"{begin}\n{text}\n{end}"
        places = list(pattern.finditer(page))
        if len(places) != 1:
            raise ValueError(f"the page has {len(places)} places for {name!r}; expected one")
        page = page[: places[0].start()] + block + page[places[0].end() :]
    return page
