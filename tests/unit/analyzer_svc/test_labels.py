from analyzer_svc.labels import DistinctLabels, with_suffixes


def test_the_first_free_candidate_is_taken():
    labels = DistinctLabels()
    assert labels.claim(1, ["Cards"]) == "Cards"
    assert labels.claim(2, ["CARDS", "Cards, fees"]) == "Cards, fees"


def test_a_cluster_may_keep_or_change_its_own_label():
    labels = DistinctLabels()
    labels.claim(1, ["Cards"])
    assert labels.claim(1, ["Cards"]) == "Cards"
    assert labels.claim(1, ["Fees"]) == "Fees"
    assert labels.claim(2, ["Cards"]) == "Cards"


def test_the_number_tells_apart_what_nothing_else_does():
    labels = DistinctLabels()
    taken = [labels.claim(cluster_id, ["Cards", "Fees"]) for cluster_id in (1, 2, 3)]
    assert taken == ["Cards", "Fees", "Fees (3)"]


def test_a_label_that_looks_like_a_numbered_one_cannot_take_its_place():
    labels = DistinctLabels()
    labels.claim(1, ["Cards (3)"])
    labels.claim(2, ["Cards"])
    assert labels.claim(3, ["Cards"]) == "Cards (3-2)"


def test_labels_that_look_alike_are_not_distinct():
    labels = DistinctLabels()
    labels.claim(1, ["Full"])
    assert labels.claim(2, ["Ｆｕ\u200dｌｌ"]) != "Ｆｕ\u200dｌｌ"


def test_long_labels_stay_within_80_characters():
    labels = DistinctLabels()
    taken = [labels.claim(n, with_suffixes("very long " * 20, ["k" * 100])) for n in range(5)]
    assert len(set(taken)) == 5
    assert all(len(label) <= 80 for label in taken)


def test_suffixes_are_the_keywords_that_the_label_lacks():
    assert list(with_suffixes("Lost cards", ["cards", "pin"])) == ["Lost cards", "Lost cards (pin)"]
