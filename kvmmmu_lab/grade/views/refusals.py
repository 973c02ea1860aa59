# SPDX-License-Identifier: GPL-2.0-only
"""Refusals: what submissions tried to do that a check does not allow, by the words of its failures.

Most of it is a mistake or curiosity. An instructor should see it all the same.
"""

from __future__ import annotations

import errno
import os
import re
import socket

from ...check.sandbox.client import DAMAGED
from ...check.sandbox.limits import NETWORK, REFUSED
from ...check.sandbox.wall import REFUSED as WALLED
from ..mark import RuleMark

PROCESS, SIGNAL, LIBRARY = REFUSED["os.system"], REFUSED["os.kill"], REFUSED["ctypes.dlopen"]
READ, CHANGE = "read files outside its folder", "change files outside its folder"
CHECKER, KIT = "load a part of the checker", "use the kit's own solution"
ANSWER, END = "answer in the place of the checked process", "end the checked process"

WORDS = (PROCESS, SIGNAL, LIBRARY, NETWORK, READ, CHANGE, CHECKER, KIT, ANSWER, END)
"""What can have been tried, each as the rest of a sentence that begins with "tried to"."""

FENCED = {
    "change ": CHANGE,
    "read ": READ,
    "open the folder": READ,
    **{words: words for words in REFUSED.values()},
    NETWORK: NETWORK,
}
"""What `limits.fence` says, by its beginning, where there is no wall."""

PATH = re.compile(r": (?P<quote>['\"])(?P<path>.*?)(?P=quote)(?: -> .*)? \(during a check, ")
MODULE = re.compile(r"No module named '(kvmmmu_lab|pytest|hypothesis)\b|spec not found for the module 'kvmmmu_lab\b")
ENDED = re.compile(r"your code ended its process.*\((exit status|signal (9|15)\b)")
BEHIND_THE_WALL = {
    errno.EROFS: CHANGE,
    errno.ENETUNREACH: NETWORK,
    errno.ECONNREFUSED: NETWORK,
    socket.EAI_AGAIN: NETWORK,
    errno.EAGAIN: PROCESS,
}
"""What was tried, by the number of the system's error behind the wall. Files that can't be read are told apart below."""


def refusal(rule: RuleMark) -> str:
    """What a submission tried to do when it failed a rule: one of `WORDS`; "" if it was nothing that a check refuses."""
    message, kind = rule.message, rule.kind
    if kind == "forbidden":
        _, _, tried = message.partition("our code tried to ")
        return next((words for begin, words in FENCED.items() if tried.startswith(begin)), READ)
    if kind == "absent":
        return KIT if "is not available while yours is checked" in message else ""
    if kind == "damaged":
        return ANSWER if DAMAGED in message[:1].lower() + message[1:] else ""
    if kind == "died":
        return END if ENDED.search(message[:1].lower() + message[1:]) else ""
    if kind != "raised":
        return ""
    if MODULE.search(message):
        return CHECKER
    if _said(message, errno.ENOENT):
        return READ if _is_elsewhere(message) else ""
    return next((words for number, words in BEHIND_THE_WALL.items() if _said(message, number)), "")


def _said(message: str, number: int) -> bool:
    """Whether a message explains an error of the system behind the wall."""
    return f"(during a check, {WALLED[number]})" in message


def _is_elsewhere(message: str) -> bool:
    """Whether a file that is not there was looked for outside the submission's folder: one of its own may be forgotten."""
    found = PATH.search(message)
    return found is not None and (os.path.isabs(found["path"]) or ".." in found["path"].split("/"))
