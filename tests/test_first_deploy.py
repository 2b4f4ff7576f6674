"""docs/first-deploy.md: the names in its commands are those that the templates and azd know."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs/first-deploy.md").read_text()


def test_each_variable_that_it_sets_is_a_parameter_of_the_templates() -> None:
    parameters = (ROOT / "infra/main.parameters.json").read_text()
    known = set(re.findall(r"\$\{([A-Z_]+)[=}]", parameters))
    used = set(re.findall(r"azd env set ([A-Z_]+)", TEXT)) | {"AZURE_OPENAI_MODEL_VERSION"}
    assert len(used) > 5
    assert used <= known


def test_the_quota_that_it_looks_up_is_the_one_that_azd_looks_for() -> None:
    (name,) = re.findall(r"name\.value=='([^']+)'", TEXT)
    assert f"'{name}," in (ROOT / "infra/main.bicep").read_text()


def test_its_links_into_documents_lead_to_a_heading() -> None:
    for target, anchor in re.findall(r"\]\(((?:\.\./)?[\w/.-]*)#([\w-]+)\)", TEXT):
        text = (ROOT / "docs" / target).read_text() if target else TEXT
        headings = {
            re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-")
            for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
        }
        assert anchor in headings, (target, anchor)
