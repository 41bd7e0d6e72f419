"""Every finding says which rule it stands for and what to do; sections that are cited exist."""

from __future__ import annotations

import re

import pytest

from muniment.content.findings import FINDINGS, Kind
from muniment.content.findings.remedies import REMEDIES
from muniment.content.findings.rules import OCFL_1_1, RFC_8493, rule_of

OF_NO_SPECIFICATION = {"B901", "B904", "B906", "O901", "O902", "R901"}


@pytest.mark.parametrize("kind", FINDINGS.values(), ids=FINDINGS)
def test_a_finding_has_its_rule_and_its_remedy(kind: Kind) -> None:
    assert REMEDIES[kind.code].endswith((".", ")"))
    own = kind.code.startswith("M") or kind.code in OF_NO_SPECIFICATION
    assert bool(rule_of(kind)) != own


def test_there_is_no_remedy_for_what_is_no_finding() -> None:
    assert REMEDIES.keys() == FINDINGS.keys()


def test_a_section_that_a_finding_of_bagit_cites_is_one_of_the_rfc() -> None:
    cited = {
        section
        for kind in FINDINGS.values()
        if kind.code.startswith("B") and "BagIt 0.97 §" not in kind.arises
        for section in re.findall(r"§([0-9.]*[0-9])", kind.arises)
    }
    assert cited
    assert cited <= RFC_8493.keys()


def test_each_code_of_ocfl_stands_in_one_section() -> None:
    codes = [code for _, named in OCFL_1_1.values() for code in named.split()]
    assert len(codes) == len(set(codes))
    assert {code for code in FINDINGS if code[0] in "EW"} <= set(codes)
