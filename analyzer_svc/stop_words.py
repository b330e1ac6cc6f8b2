"""English words that name nothing, and what other languages give away by their spelling alone."""

from __future__ import annotations

import re

FUNCTION_WORDS = frozenset(
    """
    a about above after again against ain't all almost along already also although always am
    among amongst an and another any anybody anyone anything anyway are aren't around as ask
    asked at away be became because become been before behind being below beside besides between
    beyond both but by came can can't cannot could couldn't did didn't do does doesn't doing
    don't done down during each either else enough etc even ever every everybody everyone
    everything except few for from further get gets getting give given gives go goes going gone
    gonna got had hadn't has hasn't have haven't having he he'd he'll he's her here here's hers
    herself him himself his how how's however i i'd i'll i'm i've if im in indeed instead into
    is isn't it it'd it'll it's its itself ive just keep keeps kind know knows last least less
    let let's like likely look lot lots made make makes many may maybe me mean might mine more
    most much must my myself near need needs neither never no nobody none nor not nothing now of
    off often oh ok okay on once one ones only onto or other others our ours ourselves out over
    own per perhaps please put quite rather re really right said same say says see seem seems
    seen several shall shan't she she'd she'll she's should shouldn't since so some somebody
    someone something sometimes soon still such sure take taken tell than thank thanks that
    that'd that'll that's the their theirs them themselves then there there's therefore these
    they they'd they'll they're they've thing things think this those though through thus to
    together too took toward towards tried try trying under unless until up upon us use used
    using very via want wanted wants was wasn't way we we'd we'll we're we've well went were
    weren't what what's whatever when when's where where's whether which while who who's whom
    whose why why's will with within without won't would wouldn't yes yet you you'd you'll
    you're you've your yours yourself yourselves dont doesnt didnt cant wont isnt wasnt hasnt
    havent couldnt wouldnt shouldnt whats thats
    """.split()
)

# "top up", "check out", "cash back": a pair may end in one of these.
PARTICLES = frozenset("up out off down back away".split())

# Hiragana alone mostly writes endings and particles.
_KANA_ENDING = re.compile(r"[\u3041-\u309f]{1,2}")


def is_stop_term(term: str) -> bool:
    """Return whether the term, one word or two, says nothing about what a text is about."""
    first, _, second = term.partition(" ")
    if first in FUNCTION_WORDS or _KANA_ENDING.fullmatch(term):
        return True
    return bool(second) and second in FUNCTION_WORDS and second not in PARTICLES
