"""The analyzer with a language model that misbehaves: every cluster is named all the same."""

import time

import pytest

from analyzer_svc.gemini import GeminiModel
from analyzer_svc.limits import NamingLimits
from analyzer_svc.servicer import SERVICE, AnalyzerServicer
from level_rpc.testing import running_server
from tests.support import gemini_server as gemini
from tests.support.analyzer_calls import (
    KEY,
    KEYWORDS,
    LIMITS,
    LLM,
    analyze,
    analyzer_with,
    cluster,
    failures,
    named_after_rows,
    standing,
)

ANSWERS_AT_ONCE = [
    ("quota", gemini.quota(), "PROVIDER_QUOTA"),
    ("quota with RetryInfo", gemini.quota(retry_delay="0.02s"), "PROVIDER_QUOTA"),
    ("quota with Retry-After", gemini.quota(retry_after="0"), "PROVIDER_QUOTA"),
    ("quota for an hour", gemini.quota(retry_delay="3600s"), "PROVIDER_QUOTA"),
    ("overloaded", gemini.failure(503, "UNAVAILABLE"), "PROVIDER_UNAVAILABLE"),
    ("internal error", gemini.failure(500, "INTERNAL"), "PROVIDER_UNAVAILABLE"),
    ("proxy error", gemini.Reply(b"<html>bad gateway", 502), "PROVIDER_UNAVAILABLE"),
    ("gateway timeout", gemini.failure(504, "DEADLINE_EXCEEDED"), "PROVIDER_TIMEOUT"),
    ("unknown model", gemini.failure(404, "NOT_FOUND"), "PROVIDER_UNAVAILABLE"),
    ("bad request", gemini.failure(400, "INVALID_ARGUMENT"), "PROVIDER_UNAVAILABLE"),
    ("wrong key", gemini.wrong_key(), "PROVIDER_KEY_REFUSED"),
    ("key refused 401", gemini.failure(401, "UNAUTHENTICATED"), "PROVIDER_KEY_REFUSED"),
    ("key refused 403", gemini.failure(403, "PERMISSION_DENIED"), "PROVIDER_KEY_REFUSED"),
    (
        "redirect",
        gemini.Reply(b"", 302, {"Location": "http://127.0.0.1:9/"}),
        "PROVIDER_UNAVAILABLE",
    ),
    ("reset", gemini.Reply(fault=gemini.Fault.RESET), "PROVIDER_UNAVAILABLE"),
    ("blocked answer", gemini.blocked_answer(), "PROVIDER_BLOCKED"),
    ("blocked prompt", gemini.blocked_prompt(), "PROVIDER_BLOCKED"),
    ("recitation", gemini.candidate(None, "RECITATION"), "PROVIDER_BLOCKED"),
    ("truncated", gemini.truncated(), "PROVIDER_ANSWER_MALFORMED"),
    ("nothing", gemini.as_json({}), "PROVIDER_ANSWER_MALFORMED"),
    ("no parts", gemini.candidate(None), "PROVIDER_ANSWER_MALFORMED"),
    ("prose", gemini.candidate("Sure! These are refunds."), "PROVIDER_ANSWER_MALFORMED"),
    ("cut JSON", gemini.candidate('{"label": "Ref'), "PROVIDER_ANSWER_MALFORMED"),
    (
        "wrong types",
        gemini.candidate('{"label": 1, "description": []}'),
        "PROVIDER_ANSWER_MALFORMED",
    ),
    ("NaN", gemini.candidate("NaN"), "PROVIDER_ANSWER_MALFORMED"),
    (
        "duplicate keys",
        gemini.candidate('{"label": "A", "label": "B", "description": "c"}'),
        "PROVIDER_ANSWER_MALFORMED",
    ),
    ("empty label", gemini.good(""), "PROVIDER_ANSWER_MALFORMED"),
    ("only markup", gemini.good("<img src=x onerror=alert(1)>"), "PROVIDER_ANSWER_MALFORMED"),
    ("5 kB label", gemini.good("long " * 1000), "PROVIDER_ANSWER_MALFORMED"),
    ("10 MB", gemini.good("x", "y" * 10_000_000), "PROVIDER_ANSWER_MALFORMED"),
    ("not JSON", gemini.Reply(b"<html>hello"), "PROVIDER_ANSWER_MALFORMED"),
    ("wrong envelope", gemini.as_json({"candidates": "x"}), "PROVIDER_ANSWER_MALFORMED"),
    ("wrong envelope type", gemini.as_json([1, 2]), "PROVIDER_ANSWER_MALFORMED"),
    (
        "compressed",
        gemini.Reply(b"x", 200, {"Content-Encoding": "gzip"}),
        "PROVIDER_ANSWER_MALFORMED",
    ),
]


@pytest.mark.parametrize(
    ("reply", "reason"),
    [pytest.param(reply, reason, id=name) for name, reply, reason in ANSWERS_AT_ONCE],
)
async def test_every_misbehaviour_leaves_every_cluster_named(reply, reason):
    async with analyzer_with(lambda call: reply) as (channel, server):
        responses = await analyze(channel, [cluster(n) for n in range(8)])
    final = standing(responses)
    assert len({analysis.label for analysis in final.values()}) == 8
    assert {analysis.label_source for analysis in final.values()} == {KEYWORDS}
    assert failures(responses) == [reason] * 8
    assert len(server.calls) <= 3 * 8
    assert server.peak_concurrency <= LIMITS.concurrency


@pytest.mark.parametrize("fault", [gemini.Fault.HANG, gemini.Fault.DRIP])
async def test_a_provider_that_hangs_or_drips_is_given_up_in_time(fault):
    reply = gemini.Reply(b" " * 1000, fault=fault)
    async with analyzer_with(lambda call: reply, timeout_seconds=0.2) as (channel, server):
        responses = await analyze(channel, [cluster(n) for n in range(40)])
    assert failures(responses) == ["PROVIDER_TIMEOUT"] * 40
    assert len(standing(responses)) == 40
    assert len(server.calls) <= 2 * (LIMITS.failed_clusters + LIMITS.concurrency)


async def test_nobody_listening_leaves_every_cluster_named():
    model = GeminiModel(
        KEY, model="m", max_output_tokens=100, timeout_seconds=2.0, base_url="http://127.0.0.1:9"
    )
    async with running_server(SERVICE, AnalyzerServicer(model, LIMITS)) as channel:
        responses = await analyze(channel, [cluster(n) for n in range(8)])
    assert failures(responses) == ["PROVIDER_UNAVAILABLE"] * 8
    assert len(standing(responses)) == 8


@pytest.mark.parametrize("reply", [gemini.wrong_key(), gemini.failure(404, "NOT_FOUND")])
async def test_after_a_refusal_of_all_calls_no_more_are_made(reply):
    async with analyzer_with(lambda call: reply) as (channel, server):
        responses = await analyze(channel, [cluster(n) for n in range(100)])
    assert len(failures(responses)) == 100
    assert len(server.calls) <= LIMITS.concurrency


async def test_after_some_failures_in_a_row_no_more_calls_are_made():
    reply = gemini.failure(503, "UNAVAILABLE")
    async with analyzer_with(lambda call: reply) as (channel, server):
        responses = await analyze(channel, [cluster(n) for n in range(200)])
    assert failures(responses) == ["PROVIDER_UNAVAILABLE"] * 200
    assert len(server.calls) <= 3 * (LIMITS.failed_clusters + LIMITS.concurrency)


async def test_blocked_clusters_do_not_stop_the_others():
    def reply(call):
        blocked = any("volcano" not in row for row in call.document["rows"])
        return gemini.blocked_answer() if blocked else gemini.good("Volcanoes")

    async with analyzer_with(reply) as (channel, server):
        clusters = [cluster(n, "orchid") for n in range(20)] + [cluster(20, "volcano")]
        responses = await analyze(channel, clusters)
    assert failures(responses) == ["PROVIDER_BLOCKED"] * 20
    assert standing(responses)[20].label == "Volcanoes"
    assert len(server.calls) == 21


async def test_a_passing_failure_is_tried_again():
    replies = iter([gemini.failure(503, "UNAVAILABLE"), gemini.candidate("prose")])

    async with analyzer_with(lambda call: next(replies, gemini.good("Refunds"))) as (
        channel,
        server,
    ):
        responses = await analyze(channel, [cluster(0)])
        assert standing(responses)[0].label_source == KEYWORDS
        responses = await analyze(channel, [cluster(0)])
        assert standing(responses)[0].label == "Refunds"
    assert len(server.calls) == 3


async def test_the_providers_delay_holds_all_calls_back():
    arrivals = []

    def reply(call):
        arrivals.append(time.monotonic())
        return gemini.quota(retry_delay="0.5s") if len(arrivals) == 1 else named_after_rows(call)

    limits = NamingLimits(concurrency=1, budget_seconds=20.0)
    async with analyzer_with(reply, limits=limits) as (channel, _):
        responses = await analyze(channel, [cluster(n) for n in range(4)])
    assert failures(responses) == []
    assert arrivals[1] - arrivals[0] >= 0.5
    assert len(arrivals) == 5


async def test_when_the_time_is_up_the_rest_keep_their_keywords():
    def reply(call):
        return gemini.good("About " + call.document["terms"][0], delay_seconds=0.2)

    limits = NamingLimits(concurrency=2, budget_seconds=0.5)
    async with analyzer_with(reply, limits=limits) as (channel, server):
        responses = await analyze(channel, [cluster(n) for n in range(50)])
    sources = [analysis.label_source for analysis in standing(responses).values()]
    assert LLM in sources
    assert len(sources) == 50
    assert set(failures(responses)) == {"PROVIDER_TIMEOUT"}
    assert len(server.calls) < 12
