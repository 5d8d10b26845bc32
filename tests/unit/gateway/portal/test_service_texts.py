"""What the gateway answers to a form is in the reader's language, and no sentence is out of use."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from flink_jobs_provider.gateway.portal.service_texts import sentences, translated, worded
from flink_jobs_provider.gateway.portal.text import FALLBACK, languages
from flink_jobs_provider.gateway.refusals import ActionRemedy, Refusal
from tests.unit.docs.pages import ROOT
from tests.unit.gateway.portal.browsing import JARS, Look, Opened
from tests.unit.gateway.test_documentation import _said

NEW, JOB = "/portal/new", "/portal/jobs/1"
OTHERS = [language for language in languages() if language != FALLBACK]
_VALUE = re.compile(r"\{(\w+)\}")


@pytest.mark.parametrize("language", OTHERS)
def test_each_language_has_a_file_with_the_same_values(language: str) -> None:
    assert sentences(language)
    for english, other in sentences(language).items():
        assert sorted(_VALUE.findall(english)) >= sorted(_VALUE.findall(other)), english
        assert other.strip() == other != english


@pytest.mark.parametrize("language", OTHERS)
def test_each_sentence_is_one_of_the_source(language: str) -> None:
    """Shows that the source still says most of each, four words in a row."""
    said = " ".join(_said().split())
    for english in sentences(language):
        longest = max(_VALUE.sub("\0", english).split("\0"), key=len).strip(" .:,()")
        words = longest.split()
        rows = [" ".join(words[at : at + 4]) for at in range(max(1, len(words) - 3))]
        found = [row for row in rows if row.strip(".,:;") in said]
        assert 2 * len(found) >= len(rows), english


@pytest.mark.parametrize("language", OTHERS)
def test_each_language_has_every_remedy_of_a_refused_action(language: str) -> None:
    needed = set(ActionRemedy) - {
        *(ActionRemedy.LIST_SAVEPOINTS, ActionRemedy.UPDATE, ActionRemedy.NO_SAVEPOINT_OR_UPDATE)
    }
    for remedy in needed:
        refusal = Refusal("Conflict", "There is no job x on this cluster.", remedy=remedy)
        assert str(remedy.value) in refusal.message
        assert str(remedy.value) not in worded(refusal, language), remedy


#: What no page shows: it is for programs, or of a face that the portal is not.
NOT_ON_PAGES = {"There is no such file.", "A sign-in link is made for a bearer token."}


@pytest.mark.parametrize("language", OTHERS)
def test_each_language_has_what_forms_and_actions_are_refused_for(language: str) -> None:
    """Shows it of all that is worded where a request is refused."""
    found = {
        each
        for folder in ("portal", "jobs")
        for path in sorted((ROOT / "flink_jobs_provider/gateway" / folder).rglob("*.py"))
        for each in _refusals(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert len(found) > 30
    missing = {each for each in found - NOT_ON_PAGES if translated(each, language) == each}
    assert missing == set()


def _refusals(tree: ast.AST) -> Iterator[str]:
    """Yield what refusals say that are worded in place, with a word for each value."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            continue
        if node.func.id == "Refusal" and len(node.args) > 1:
            said = node.args[1]
            if isinstance(said, ast.Constant):
                yield str(said.value)
            elif isinstance(said, ast.JoinedStr) and isinstance(said.values[-1], ast.Constant):
                yield "".join(
                    str(part.value) if isinstance(part, ast.Constant) else "word"
                    for part in said.values
                )


def test_what_has_no_entry_stays_as_it_is() -> None:
    for language in (*languages(), "xx"):
        assert translated("Nobody says this {x}.", language) == "Nobody says this {x}."
    assert translated("The gateway is starting or stopping.", "en").startswith("The gateway")


def test_values_are_taken_over_and_may_be_anything() -> None:
    """Shows braces in a value, and that an invalid value is shown where it was."""
    said = "Nom must be a whole number from 1 to 9 (got '{x}')."
    assert translated(said, "fr") == "Nom doit être un nombre entier de 1 à 9 ('{x}')."


def test_the_mistakes_of_a_form_are_in_french(look: Look) -> None:
    """Shows each at its field, in another text than the English one."""
    wrong = {
        "job_name": "Orders!",
        "jar": "s3://elsewhere/orders.jar",
        "entry_class": "two words",
        "parallelism": "many",
        "savepoint_directory": "relative/place",
        "savepoint": "savepoint-1",
    }

    async def test(portal: Opened) -> None:
        pages = {}
        for language in ("en", "fr"):
            browser = await portal.signed_in(f"ada-{language}", accept_language=language)
            pages[language] = await browser.refused(
                (await browser.get(NEW)).form(NEW), 400, **wrong
            )
        english, french = pages["en"].problems, pages["fr"].problems
        assert set(english) == set(french) == set(wrong)
        for name in wrong:
            assert " must " in english[name], english
            assert " doit " in french[name], french
            assert " must " not in french[name]

    look(test)


def test_refusals_are_in_french(look: Look) -> None:
    """Shows a name that is taken, a status, a jar outside the mounts, and a token."""

    async def test(portal: Opened) -> None:
        await portal.gateway.done("NEW")
        browser = await portal.signed_in(accept_language="fr")
        form = (await browser.get(NEW)).form(NEW)
        given = {"job_name": "orders", "jar": f"{JARS}/orders.jar", "entry_class": "Main"}
        page = await browser.refused(form, 409, **given)
        assert "Un travail orders existe déjà ; il est RUNNING. UPDATE le change" in page.text
        form.fields["browse"] = f"{JARS}/../x"
        page = await browser.refused(form, 200)
        assert "Chemin du jar ne doit contenir ni . ni .." in page.text
        page = await browser.refused((await browser.get(f"{JOB}/start")).form(f"{JOB}/start"), 409)
        assert "START n'est pas possible tant que le travail orders est RUNNING." in page.text
        page = await browser.get("/portal/nothing", 404)
        assert "Il n'y a rien à cette adresse." in page.text
        assert page.find("html")[0].attributes["lang"] == "fr"
        stranger = await portal.browser(accept_language="fr")
        answer = await stranger.sign_in("fjg_wrong")
        assert "Le jeton n&#39;est pas accepté" in answer.text

    look(test)
