"""Every change that the brain can name has words for the person, or cannot come up when nobody named an object, an actor or a key."""

import re
from inspect import getsource
from typing import Any

from apps.pages import remedies
from apps.routing import flips

NOT_ASKED = {
    "later_expiry",
    "create_recipient",
    "unblock_actor",
    "add_to_guest_list",
    "raise_priority",
    "not_a_duplicate",
    "another_object",
    "another_campaign",
    "resume_campaign",
    "unseen",
}


def test_every_change_has_words() -> None:
    codes = set(re.findall(r'Flip\(\s*"(\w+)"', getsource(flips)))
    assert len(codes) == 23 and codes > NOT_ASKED
    nobody: Any = None
    without = {
        code
        for code in codes - set(remedies._WORDS)
        if next(remedies._theirs(nobody, flips.Flip(code, "", None), nobody, "Acme")).text
        == "Something that is not in your settings."
    }
    assert without == NOT_ASKED
