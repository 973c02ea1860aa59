# SPDX-License-Identifier: GPL-2.0-only
"""A learner's work where only a browser keeps it: `my_work` shows buttons to download it as one zip, and to upload that."""

from .buttons import my_work

__all__ = ["my_work"]
