"""The analyzer with a language model that answers as it should."""

import pytest

from levelapi.analyzer.v1.analyzer_service_pb2_grpc import AnalyzerServiceStub
from tests.support import gemini_server as gemini
from tests.support.analyzer_calls import (
    KEY,
    KEYWORDS,
    LIMITS,
    LLM,
    analyze,
    analyzer_with,
    cluster,
    named_after_rows,
    requests,
    standing,
)


async def test_keyword_outcomes_come_first_then_one_of_the_model_for_each_cluster():
    async with analyzer_with(named_after_rows) as (channel, server):
        responses = await analyze(channel, [cluster(n) for n in range(8)])
    assert [r.cluster_id for r in responses[:8]] == list(range(8))
    assert {r.analysis.label_source for r in responses[:8]} == {KEYWORDS}
    assert sorted(r.cluster_id for r in responses[8:]) == list(range(8))
    final = standing(responses)
    assert final[2].label == "About guitar"
    assert final[2].description == "Says a row about guitar."
    assert final[2].label_source == LLM
    assert list(final[2].keywords) == ["guitar", "kind2"]
    assert {(r.prompt_token_count, r.answer_token_count) for r in responses[8:]} == {(120, 17)}
    assert len(server.calls) == 8


async def test_the_request_says_what_the_settings_say():
    async with analyzer_with(named_after_rows) as (channel, server):
        await analyze(channel, [cluster(0)], dataset_description="bank tickets", language_code="de")
    (call,) = server.calls
    assert call.path.endswith("/models/gemini-3.5-flash-lite:generateContent")
    assert KEY not in call.path
    assert call.headers["x-goog-api-key"] == KEY
    config = call.body["generationConfig"]
    assert config["temperature"] == 0.3
    assert config["maxOutputTokens"] == 100
    assert config["responseMimeType"] == "application/json"
    assert config["responseSchema"]["required"] == ["label", "description"]
    assert "in the language de" in call.instruction
    assert call.document["dataset"] == "bank tickets"
    assert "tools" not in call.body


@pytest.mark.parametrize(
    ("model", "thinking"),
    [
        ("gemini-3.5-flash-lite", "MINIMAL"),
        ("gemini-3.8-flash", "LOW"),
        ("gemini-2.5-flash", 0),
    ],
)
async def test_each_model_is_asked_to_think_as_little_as_it_can(model, thinking):
    async with analyzer_with(named_after_rows, model=model) as (channel, server):
        await analyze(channel, [cluster(0)])
    assert list(server.calls[0].body["generationConfig"]["thinkingConfig"].values()) == [thinking]


async def test_keywords_only_asks_no_model():
    async with analyzer_with(named_after_rows) as (channel, server):
        responses = await analyze(channel, [cluster(0)], keywords_only=True)
    assert len(responses) == 1
    assert server.calls == []


async def test_the_model_is_not_asked_about_clusters_without_exemplars():
    async with analyzer_with(named_after_rows) as (channel, server):
        known = cluster(1)
        del known.texts[:]
        responses = await analyze(channel, [cluster(0), known, cluster(2)])
    assert [response.cluster_id for response in responses[:3]] == [0, 1, 2]
    assert sorted(response.cluster_id for response in responses[3:]) == [0, 2]
    assert len(server.calls) == 2


async def test_calls_run_side_by_side_but_never_more_than_the_limit():
    def reply(call):
        return gemini.good("About " + call.document["terms"][0], delay_seconds=0.02)

    async with analyzer_with(reply) as (channel, server):
        await analyze(channel, [cluster(n) for n in range(24)])
    assert server.peak_concurrency == LIMITS.concurrency
    assert len(server.calls) == 24


async def test_equal_labels_of_the_model_are_told_apart_by_keywords():
    async with analyzer_with(lambda call: gemini.good("Customer Questions")) as (channel, _):
        responses = await analyze(channel, [cluster(n) for n in range(8)])
    labels = [analysis.label for analysis in standing(responses).values()]
    assert len({label.casefold() for label in labels}) == 8
    assert labels.count("Customer Questions") == 1
    assert all(label.startswith("Customer Questions") for label in labels)


async def test_a_caller_that_leaves_stops_the_calls():
    def reply(call):
        return gemini.good("About " + call.document["terms"][0], delay_seconds=0.2)

    async with analyzer_with(reply) as (channel, server):
        call = AnalyzerServiceStub(channel).AnalyzeClusters(
            requests([cluster(n) for n in range(40)])
        )
        async for response in call:
            if response.analysis.label_source == LLM:
                call.cancel()
                break
        made = len(server.calls)
        await analyze(channel, [cluster(0)])
    assert made < 40
    assert len(server.calls) <= made + LIMITS.concurrency + 1
