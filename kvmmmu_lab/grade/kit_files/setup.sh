#!/usr/bin/env bash
# Gradescope runs this once, when it builds the image of the autograder.
set -euo pipefail
cd "${AUTOGRADER:-/autograder}/source"

# bubblewrap is the wall around submissions; where it can't work, Python itself refuses what it can, and the results say so
export DEBIAN_FRONTEND=noninteractive
if command -v apt-get >/dev/null; then
    apt-get update -q
    apt-get install -q -y --no-install-recommends python3 python3-venv bubblewrap
fi

python3 -m venv .venv
.venv/bin/pip install -q -r requirements.txt
