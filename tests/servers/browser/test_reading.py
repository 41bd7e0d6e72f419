"""The pages of whoever reads: projects with their promises, resources with their history, files and differences."""

from __future__ import annotations

from tests.servers.browser.visiting import Visitor


def test_a_project_says_in_words_what_is_promised_for_it(keeper: Visitor) -> None:
    before = keeper.get("/projects/rivermark/odd")
    assert "One copy only: the archive's disk." in before.words
    given = {"project": "rivermark/odd", "rev": "0", "policy": '[[copies]]\nstore = "vault"\nlock = "compliance 2y"\n'}
    assert keeper.post("/admin/policies", given).status == 303
    after = keeper.get("/projects/rivermark/odd")
    assert "2 copies: the archive's disk, vault." in after.words
    assert "locked for 2 years, which nobody can shorten" in after.words


def test_a_project_that_does_not_exist_is_not_found(keeper: Visitor) -> None:
    page = keeper.get("/projects/no/such")
    assert page.status == 404
    assert "There is no project 'no/such'" in page.words
    assert keeper.get("/projects/rivermark/maps").status == 200
