"""A source behind HTTP: paged, tried again, and never half; whom it may call, and whom never."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from recon.models import ExternalRow, ReconJob, ReconMatch
from recon.sources import BadMapping, ControlTotals, HostNotAllowed, SourceUnreachable

from .hosts import Answer, Host
from .stories import make_source, post, reconcile

pytestmark = pytest.mark.django_db


def row(number: int) -> dict[str, Any]:
    return {
        "id": f"P{number}",
        "amount": {"value": 10 + number},
        "at": "2025-07-13T09:00:00-04:00",
        "ref": f"T{number}",
    }


def page(*numbers: int, **more: Any) -> Answer:
    return 200, {}, json.dumps({"rows": [row(number) for number in numbers], **more}).encode()


COLUMNS = {"id": "id", "amount": "amount.value", "time": "at", "reference": "ref"}


def source_of(host: Host, **mapping: Any) -> Any:
    whole = {"url": host.url, "items": "rows", "columns": COLUMNS, "page": "page", **mapping}
    return make_source(adapter="api", mapping={k: v for k, v in whole.items() if v is not None})


def numbered(pages: dict[int, Answer]) -> Callable[[str, int], Answer]:
    def answer(path: str, time: int) -> Answer:
        return pages.get(int(path.rpartition("page=")[2]), page())

    return answer


def test_all_pages_are_read_and_matched(host: Host) -> None:
    post("11.00", at="2025-07-13T09:00:00-04:00", reference="T1")
    host.answers = numbered({1: page(1, 2), 2: page(3)})
    job = reconcile(source_of(host))
    assert (job.counts["external"]["rows"], job.counts["external"]["matched"]) == (3, 1)
    assert [path for path, _ in host.asked] == [f"/settlements?page={number}" for number in (1, 2, 3)]


def test_next_pages_are_followed_by_their_address(host: Host) -> None:
    pages = {
        "/settlements": page(1, next="/settlements?cursor=b"),
        "/settlements?cursor=b": page(2, next=None),
    }
    host.answers = lambda path, time: pages[path]
    assert reconcile(source_of(host, page=None, next="next")).counts["external"]["rows"] == 2


def test_an_api_that_dies_on_page_3_leaves_nothing_half_written(host: Host) -> None:
    source = source_of(host)
    post("11.00", at="2025-07-13T09:00:00-04:00", reference="T1")
    host.answers = numbered({1: page(1), 2: page(2), 3: (500, {}, b"")})
    with pytest.raises(SourceUnreachable, match=r"Page 3 did not come: .*Nothing was loaded"):
        reconcile(source)
    assert not ExternalRow.objects.exists() and not ReconMatch.objects.exists()
    failed = ReconJob.objects.get()
    assert (failed.status, failed.error_code) == ("FAILED", "recon.source_unreachable")
    assert len([path for path, _ in host.asked if path.endswith("page=3")]) == 4  # tried again three times
    host.answers = numbered({1: page(1), 2: page(2), 3: page(3)})
    assert reconcile(source).counts["external"]["rows"] == 3


def test_a_host_that_stumbles_once_is_asked_again(host: Host) -> None:
    host.answers = lambda path, time: (
        (503, {}, b"") if time == 1 else (page(1) if path.endswith("=1") else page())
    )
    assert reconcile(source_of(host)).counts["external"]["rows"] == 1


@pytest.mark.parametrize(
    "answer",
    [
        (200, {"Content-Length": "5000"}, b'{"rows": []'),
        (200, {}, b'{"rows": [{"id": "P1"'),
        (302, {"Location": "http://127.0.0.1:1/elsewhere"}, b""),
        (301, {"Location": "/settlements/again"}, b""),
        (401, {}, b""),
        (200, {}, b'{"rows": "many"}'),
        (200, {}, b'{"rows": [1, 2]}'),
    ],
)
def test_an_answer_that_is_not_whole_is_refused(host: Host, answer: Answer) -> None:
    host.answers = lambda path, time: answer
    with pytest.raises(Exception, match="Nothing was loaded"):
        reconcile(source_of(host))
    assert not ExternalRow.objects.exists()
    assert all(path.startswith("/settlements?page=") for path, _ in host.asked)  # no redirect was followed


def test_a_host_that_says_how_long_to_wait_is_left_alone_so_long(host: Host) -> None:
    host.answers = lambda path, times: (
        page() if path.endswith("=2") else (429, {"Retry-After": "3600"}, b"") if times == 1 else page(1)
    )
    started = time.monotonic()
    assert reconcile(source_of(host)).counts["external"]["rows"] == 1
    assert 1 <= time.monotonic() - started < 10  # never longer than we are willing to wait: here, a second


@pytest.mark.parametrize(("blocks", "says"), [(1, "timed out"), (50, "it took too long")])
def test_a_host_that_is_too_slow_is_given_up(host: Host, settings: Any, blocks: int, says: str) -> None:
    settings.RECON_API_TIMEOUT = 0.05 if blocks == 1 else 5
    host.answers = lambda path, time: (200, {}, [b" "] * blocks if blocks > 1 else [b" ", b"{}"])
    with pytest.raises(SourceUnreachable, match=says):
        reconcile(source_of(host))


def test_an_api_that_gives_its_first_page_for_ever_is_refused(host: Host) -> None:
    host.answers = lambda path, time: page(1, 2)
    with pytest.raises(SourceUnreachable, match="Page 2 did not come: it is a page that came before"):
        reconcile(source_of(host))
    assert not ExternalRow.objects.exists()


def test_a_count_that_is_stated_is_checked(host: Host) -> None:
    host.answers = numbered({1: page(1, 2, total=3), 2: page(total=3)})
    with pytest.raises(ControlTotals, match="A count of 3 is stated, and the rows come to 2"):
        reconcile(source_of(host, total="total"))


def test_a_next_page_on_another_host_is_not_called(host: Host) -> None:
    host.answers = lambda path, time: page(1, next="http://localhost:9/settlements")
    with pytest.raises(HostNotAllowed, match="a next page lies on the same host"):
        reconcile(source_of(host, page=None, next="next"))


def test_pages_that_lead_round_in_a_circle_end(host: Host) -> None:
    host.answers = lambda path, time: page(1, next="/settlements")
    with pytest.raises(SourceUnreachable, match="a page that came before"):
        reconcile(source_of(host, page=None, next="next"))


def test_the_token_comes_from_the_environment(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECON_TOKEN_CURB", "s3cret")
    host.answers = numbered({})
    source = source_of(host, token_env="RECON_TOKEN_CURB")
    reconcile(source)
    assert host.asked[0][1]["Authorization"] == "Bearer s3cret"
    assert "s3cret" not in json.dumps(source.mapping)
    with pytest.raises(BadMapping, match="RECON_TOKEN_"):
        reconcile(source_of(host, token_env="SECRET_KEY"))
    with pytest.raises(BadMapping, match="the environment has no RECON_TOKEN_OTHER"):
        reconcile(source_of(host, token_env="RECON_TOKEN_OTHER"))
    monkeypatch.setenv("RECON_TOKEN_OTHER", "s3cret\n")
    reconcile(source_of(host, token_env="RECON_TOKEN_OTHER"))
    assert host.asked[-1][1]["Authorization"] == "Bearer s3cret"
    monkeypatch.setenv("RECON_TOKEN_OTHER", "s3\ncret")
    with pytest.raises(BadMapping, match="the environment has no RECON_TOKEN_OTHER"):
        reconcile(source_of(host, token_env="RECON_TOKEN_OTHER"))


@pytest.mark.parametrize("headers", [["X-Fleet"], {"X-Fleet": "a\nHost: b"}, {"X-Fleet": "ß"}])
def test_headers_that_cannot_be_sent_are_refused(host: Host, headers: Any) -> None:
    with pytest.raises(BadMapping, match="headers"):
        reconcile(source_of(host, headers=headers))


def test_characters_are_kept_however_they_are_written(host: Host) -> None:
    named = [{**row(1), "note": "\U0001f695 \\u0000"}]  # in two halves, and no NUL
    host.answers = numbered({1: (200, {}, json.dumps({"rows": named}).encode())})
    reconcile(source_of(host))
    assert ExternalRow.objects.get().raw["note"] == "\U0001f695 \\u0000"


@pytest.mark.parametrize(
    "answer",
    [
        b"[" * 100_000,
        b'{"rows": [], "next": "http://["}',
        rb'{"rows": [{"id": "a\u0000b"}]}',
        rb'{"rows": [{"id": "a\ud800b"}]}',
        b'{"rows": [{"id": "a\xed\xa0\x80b"}]}',
    ],
)
def test_an_answer_made_to_break_the_reader_is_refused(host: Host, answer: bytes) -> None:
    host.answers = lambda path, time: (200, {}, answer)
    with pytest.raises((SourceUnreachable, HostNotAllowed)):
        reconcile(source_of(host, page=None, next="next"))


@pytest.mark.parametrize(
    ("url", "allowed", "why"),
    [
        ("https://other.example.com/x", ["api.example.com"], "not among"),
        ("http://api.example.com/x", ["api.example.com"], "only https"),
        ("https://me:secret@api.example.com/x", ["api.example.com"], "no password"),
        ("https://127.0.0.1/x", ["127.0.0.1"], "not public"),
        ("https://localhost/x", ["localhost"], "not public"),
        ("https://169.254.169.254/latest/meta-data", ["169.254.169.254"], "not public"),
        ("https://10.0.0.7/x", ["10.0.0.7"], "not public"),
        ("https://[::1]/x", ["::1"], "not public"),
        ("https://[2002:7f00:1::]/x", ["2002:7f00:1::"], "not public"),
        ("https://[64:ff9b::a00:7]/x", ["64:ff9b::a00:7"], "not public"),
        ("file:///etc/passwd", ["api.example.com"], "not among"),
        ("https://[", ["api.example.com"], "Invalid"),
        ("https://api.example.com:99999/x", ["api.example.com"], "out of range"),
    ],
)
def test_hosts_that_are_never_called(settings: Any, url: str, allowed: list[str], why: str) -> None:
    settings.RECON_API_HOSTS = allowed
    source = make_source(adapter="api", mapping={"url": url, "columns": COLUMNS})
    with pytest.raises(HostNotAllowed, match=why):
        reconcile(source)
