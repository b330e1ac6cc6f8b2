"""How many tokens a text costs, where no tokenizer is at hand."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

BYTES_PER_TOKEN = 4
"""UTF-8 bytes of a token, about: what byte-pair vocabularies reach on English prose."""


def estimate_tokens(texts: Iterable[str]) -> NDArray[np.int64]:
    """Return about how many tokens each text is: a quarter of its UTF-8 bytes, rounded up.

    An estimate that needs no model, and the same for every model that the rows may be trained
    with. Real counts differ by language and vocabulary; the shares of rows and clusters in a
    budget differ less, since all are estimated alike.

    Parameters
    ----------
    texts : iterable of str
        Read once.

    Returns
    -------
    ndarray of shape (n_texts,), int64
        At least 1: an empty text costs what separates it from the next.
    """
    sizes = (len(text.encode("utf-8", "surrogatepass")) for text in texts)
    counts = np.fromiter(sizes, dtype=np.int64)
    return np.maximum(-(-counts // BYTES_PER_TOKEN), 1)
