import csv
import difflib
from collections import Counter
from datetime import datetime

import pytest

from level.sample import COLUMNS, NEAR_DUPLICATE_SHARE, sample_messages, sample_rows, write_sample
from level.sample_phrases import NOISE, TOPICS
from levelling.measures import compute_gini_coefficient


def read_csv(path):
    with path.open(encoding="utf-8", newline="") as file:
        return [tuple(record) for record in csv.reader(file)]


def originals():
    return [message for message in sample_messages() if not message.is_repeat]


def test_the_same_seed_gives_the_same_rows_and_another_seed_gives_others():
    assert sample_rows() == sample_rows()
    assert sample_rows(1) != sample_rows(2)


def test_there_are_some_six_hundred_rows():
    assert 600 <= len(sample_rows()) <= 700


def test_tickets_are_unique_and_of_one_width():
    tickets = [row[0] for row in sample_rows()]
    assert len(set(tickets)) == len(tickets)
    assert {len(ticket) for ticket in tickets} == {5}
    assert tickets[0] == "00001"


def test_rows_are_in_order_of_arrival():
    moments = [datetime.fromisoformat(row[1]) for row in sample_rows()]
    assert moments == sorted(set(moments))


def test_every_topic_has_as_many_different_messages_as_it_says():
    for topic in TOPICS:
        texts = [message.text for message in originals() if message.topic == topic.name]
        assert len(texts) == len(set(texts)) == topic.row_count, topic.name


def test_no_phrase_is_in_two_topics():
    phrases = [phrase for topic in TOPICS for phrase in topic.messages] + list(NOISE)
    assert [phrase for phrase, count in Counter(phrases).items() if count > 1] == []


def test_a_few_topics_have_most_of_the_rows():
    sizes = Counter(message.topic for message in sample_messages() if message.topic)
    ranked = [size for _, size in sizes.most_common()]
    total = len(sample_rows())
    assert len(ranked) >= 12
    assert ranked[0] >= 0.25 * total
    assert ranked[0] >= 1.5 * ranked[1]
    assert ranked[-1] <= 0.02 * total
    assert compute_gini_coefficient(ranked) > 0.45


def test_large_topics_have_at_least_forty_phrases():
    assert all(len(topic.messages) >= 40 for topic in TOPICS if topic.row_count >= 60)


def test_no_text_has_a_slot_left_open():
    assert not any("{" in message.text or "}" in message.text for message in sample_messages())


def test_near_duplicates_come_after_a_message_that_they_resemble():
    earlier = []
    repeats = 0
    for message in sample_messages():
        texts = [other.text for other in earlier if other.topic == message.topic]
        if message.is_repeat:
            repeats += 1
            assert max(similarity(message.text, text) for text in texts) > 0.6, message.text
        earlier.append(message)
    assert repeats == pytest.approx(NEAR_DUPLICATE_SHARE * (len(earlier) - len(NOISE)), rel=0.15)


def similarity(text, other):
    return difflib.SequenceMatcher(None, text, other, autojunk=False).ratio()


def test_some_messages_come_again_unchanged():
    counts = Counter(message.text for message in sample_messages())
    assert any(count > 1 for count in counts.values())


def test_noise_is_there_once_each_and_belongs_to_no_topic():
    noise = sorted(message.text for message in sample_messages() if not message.topic)
    assert noise == sorted(NOISE)
    assert 0.03 <= len(noise) / len(sample_rows()) <= 0.06


def test_messages_are_short_and_long_and_some_have_breaks():
    lengths = [len(row[3]) for row in sample_rows()]
    assert min(lengths) <= 5
    assert max(lengths) >= 150
    assert any("\n" in row[3] for row in sample_rows())


def test_the_file_read_back_is_the_rows(tmp_path):
    path = write_sample(tmp_path / "sample.csv")
    assert read_csv(path) == [COLUMNS, *sample_rows()]


def test_the_file_is_utf_8_without_mark_and_with_plain_line_ends(tmp_path):
    content = write_sample(tmp_path / "sample.csv").read_bytes()
    assert content.startswith(b"ticket,received_at,channel,message\n")
    assert b"\r" not in content
    assert "📦" in content.decode("utf-8")
