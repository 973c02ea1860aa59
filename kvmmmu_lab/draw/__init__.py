# SPDX-License-Identifier: GPL-2.0-only
"""Pictures of MMU state. `render` turns DOT into SVG, with whichever renderer the machine has."""
