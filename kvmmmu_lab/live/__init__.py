# SPDX-License-Identifier: GPL-2.0-only
"""The course live in a browser tab: a JupyterLite on Pyodide, which static files are enough for.

Built by `kvmmmu-lab site --live`: `build` puts it together, `versions` says from what. Its scripts run in the browser:
``store.js`` keeps files, ``kept_files.js`` brings those that a learner has saved up to date, ``progress.js`` tells the reader
what is being loaded, ``lab_page.js`` runs the start page when it opens, ``runtime.js`` starts Pyodide in the kernel's worker,
and ``service_worker.js`` answers without a network, and brings the kernels' questions about files to their page.
"""
