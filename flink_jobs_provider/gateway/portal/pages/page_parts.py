"""What pages of the same kind are made of."""

from __future__ import annotations

from dataclasses import dataclass

from flink_jobs_provider.gateway.job_board import JobBoard
from flink_jobs_provider.gateway.portal.addresses import Addresses
from flink_jobs_provider.gateway.portal.jar_choice import JarChooser
from flink_jobs_provider.gateway.portal.kept_forms import KeptForms
from flink_jobs_provider.gateway.portal.observed import Observed
from flink_jobs_provider.gateway.portal.submission import Submission
from flink_jobs_provider.gateway.portal.templating import Templates
from flink_jobs_provider.gateway.portal.visit import Visits


@dataclass(frozen=True)
class ListPage:
    """A list that is refreshed by itself.

    Attributes:
        board: What is known of the jobs.
        observed: Observes them, and their clusters.
        visits: Who reads it.
        templates: The portal's pages.
        addresses: Their addresses.
    """

    board: JobBoard
    observed: Observed
    visits: Visits
    templates: Templates
    addresses: Addresses


@dataclass(frozen=True)
class FormPage:
    """A form on which jars are chosen.

    Attributes:
        board: What is known of the jobs.
        submission: Sends forms on.
        chooser: Answers the buttons by which a jar is chosen.
        kept: What was typed into forms whose session has ended.
        visits: Who reads it.
        templates: The portal's pages.
        addresses: Their addresses.
        body_bytes: The longest form.
    """

    board: JobBoard
    submission: Submission
    chooser: JarChooser
    kept: KeptForms
    visits: Visits
    templates: Templates
    addresses: Addresses
    body_bytes: int
