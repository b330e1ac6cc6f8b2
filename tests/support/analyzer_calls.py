"""Calls of the analyzer over real gRPC, with the real Gemini client and a local Gemini."""

from contextlib import asynccontextmanager

from analyzer_svc.gemini import GeminiModel
from analyzer_svc.limits import NamingLimits
from analyzer_svc.servicer import SERVICE, AnalyzerServicer
from level_rpc.testing import running_server
from levelapi.analyzer.v1 import analyzer_service_pb2 as messages
from levelapi.analyzer.v1.analyzer_service_pb2_grpc import AnalyzerServiceStub
from levelapi.errors.v1.error_reason_pb2 import ErrorReason
from tests.support import gemini_server as gemini

KEY = "canary-key-0123456789"
TOPICS = ["refund", "passport", "guitar", "volcano", "pension", "orchid", "submarine", "mortgage"]
LLM, KEYWORDS, GENERIC = (
    messages.LABEL_SOURCE_LLM,
    messages.LABEL_SOURCE_KEYWORDS,
    messages.LABEL_SOURCE_GENERIC,
)


def cluster(cluster_id, word=None, **fields):
    word = word or TOPICS[cluster_id % len(TOPICS)]
    return messages.ClusterTexts(
        cluster_id=cluster_id,
        row_count=9,
        texts=[f"a row about {word}"],
        term_counts=[
            messages.TermCount(term=word, count=9),
            messages.TermCount(term=f"kind{cluster_id}", count=5),
        ],
        **fields,
    )


def requests(clusters, **config):
    config = {"cluster_count": len(clusters), **config}
    yield messages.AnalyzeClustersRequest(config=messages.AnalyzeClustersConfig(**config))
    for one in clusters:
        yield messages.AnalyzeClustersRequest(cluster=one)


async def analyze(channel, clusters, **config):
    call = AnalyzerServiceStub(channel).AnalyzeClusters(requests(clusters, **config))
    return [response async for response in call]


def standing(responses):
    """The analysis that stands for each cluster in the end."""
    return {
        response.cluster_id: response.analysis
        for response in responses
        if response.WhichOneof("outcome") == "analysis"
    }


def failures(responses):
    return [
        ErrorReason.Name(response.failure.reason).removeprefix("ERROR_REASON_")
        for response in responses
        if response.WhichOneof("outcome") == "failure"
    ]


LIMITS = NamingLimits(concurrency=4, budget_seconds=20.0, backoff_seconds=0.01)


@asynccontextmanager
async def analyzer_with(
    reply, *, limits=LIMITS, timeout_seconds=5.0, model="gemini-3.5-flash-lite"
):
    async with gemini.running_gemini(reply) as server:
        language_model = GeminiModel(
            KEY,
            model=model,
            max_output_tokens=100,
            timeout_seconds=timeout_seconds,
            base_url=server.url,
        )
        async with running_server(SERVICE, AnalyzerServicer(language_model, limits)) as channel:
            yield channel, server


def named_after_rows(call):
    return gemini.good(f"About {call.document['terms'][0]}", f"Says {call.document['rows'][0]}.")
