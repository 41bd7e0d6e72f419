"""What Jinja takes for another thing than whoever wrote a template meant."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from muniment.server import pages

TEMPLATES = sorted((Path(pages.__file__).parent / "templates").glob("*.html"))
_METHODS = re.compile(r"\b[a-z_]\w*\.(?:copy|items|keys|values|get|pop|update|clear|setdefault)\b(?!\()")


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda each: str(each.name))
def test_no_template_takes_a_method_of_a_mapping_for_what_is_in_it(template: Path) -> None:
    # `row.copy` is the method also where the mapping has a `copy`, and always true.
    expressions = re.findall(r"\{[{%].*?[%}]\}", template.read_text(encoding="utf-8"), re.DOTALL)
    assert [name for each in expressions for name in _METHODS.findall(each)] == []
