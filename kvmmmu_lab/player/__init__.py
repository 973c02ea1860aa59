# SPDX-License-Identifier: GPL-2.0-only
"""The player of films: JavaScript modules that need nothing else, and their hosts.

`page` puts a film into an HTML output or a page of its own, `widget` into a widget that Python talks to. Both hand the
same text to the browser: the modules of this folder, joined to one.
"""
