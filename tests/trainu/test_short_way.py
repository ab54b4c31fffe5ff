"""The API's short way leaves out what browsers need, and nothing that guards a request."""

from typing import Any

import pytest
from django.test import Client

from tests import make
from tests.observability.test_ingestion import post


@pytest.mark.django_db
def test_a_machine_needs_no_session_and_no_csrf_token(key: str) -> None:
    strict = Client(enforce_csrf_checks=True)
    answer = post(strict, make.event(), key)
    assert answer.status_code == 200
    assert not answer.cookies
    assert "Content-Security-Policy" not in answer


def test_a_wrong_host_is_refused_in_the_shape_of_the_api(client: Client) -> None:
    answer = client.get("/api/health/live", headers={"Host": "evil.example"})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


def test_https_is_enforced_where_it_is_configured(client: Client, settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True
    fresh = Client()
    assert fresh.get("/api/openapi.json").status_code == 301


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_a_wrong_method_is_405_and_names_the_right_one(client: Client, method: str) -> None:
    answer = getattr(client, method)("/api/events")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer["Allow"] == "POST"


def test_an_unknown_address_is_404_in_the_shape_of_the_api(client: Client) -> None:
    answer = client.get("/api/nowhere")
    assert answer["Content-Type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_the_api_page_is_a_page_and_has_the_policy_of_pages(client: Client) -> None:
    answer = client.get("/api/docs")
    assert answer.status_code == 200
    assert "default-src 'self'" in answer["Content-Security-Policy"]
