"""docs/reference.md is what the code declares."""

import re

import pytest

from dev.reference import PAGE, error_kinds, reference_page
from shared import errors
from shared.config.settings import DECLARATIONS, SETTING_NAMES


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference_page(), "run `make reference`"


def test_every_setting_has_its_row_with_its_default_and_what_is_allowed() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| (?:`(\S+)` )?\| (.+?) \| (.+) \|$", reference_page(), re.MULTILINE)
    assert [name for name, *_ in rows] == list(SETTING_NAMES)
    assert [default for _, default, *_ in rows] == [one.kind.default for one in DECLARATIONS.values()]
    assert all(allowed and meaning for *_, allowed, meaning in rows)


def test_every_error_code_has_its_row() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d{3}) \| (.+\.) \|$", reference_page(), re.MULTILINE)
    assert [(code, int(status)) for code, status, _ in rows] == [(kind.code, kind.status) for kind in error_kinds()]
    assert len({code for code, *_ in rows}) == len(rows) > 20
    unlisted = {kind for kind in vars(errors).values() if isinstance(kind, type)} - set(error_kinds())
    assert {kind for kind in unlisted if issubclass(kind, errors.AnswerError)} == {
        errors.AnswerError,
        errors.UpstreamErrorResponse,
    }


@pytest.mark.parametrize("declaration", DECLARATIONS.values(), ids=SETTING_NAMES)
def test_a_meaning_is_one_sentence(declaration: object) -> None:
    meaning = getattr(declaration, "meaning", "")
    assert re.fullmatch(r"[A-Z].*[^.]\.", meaning)
    assert ". " not in meaning
